//! What a result rests on, for its evidence package: how its sources were defined, which rules linked their accounts,
//! which of their records were refused, and by which queries the rows were counted a second time.
//!
//! Invariants:
//! - definitions are those of the snapshot, not those of today, and contain neither a secret nor its place;
//! - what the task's data scope hides is left out;
//! - the package says what is not kept any more and what is too much.

use super::{json, unmade};
use arrow::record_batch::RecordBatch;
use muster_engine::Engine;
use muster_render::evidence::{
    CORRELATION_RULES, NOT_KEPT, REFUSED_RECORDS, SECOND_COUNT, SOURCE_DEFINITIONS,
};
use muster_render::{ColumnFormat, FileWriter, NdjsonWriter};
use muster_reports::DataScope;
use muster_reports::cover::Cover;
use muster_reports::error::Result;
use muster_reports::retention::CataloguedSnapshot;
use serde_json::{Value, json};
use std::sync::Arc;

/// Most definitions of sources.
const SOURCES_MAX: usize = 10_000;
/// Most refused records that are listed. The source runs have the total.
const REFUSED_MAX: usize = 100_000;
/// Words in the names of settings that say where a secret is.
const SECRETS: [&str; 4] = ["password", "secret", "token", "credential"];
/// The text in place of a secret.
const HIDDEN: &str = "[removed]";

/// A text of a package.
type Text = (&'static str, Vec<u8>);

/// The texts for a result of this snapshot, as `scope` shows them.
///
/// # Errors
/// When the tables of a snapshot that is kept cannot be read.
pub(super) async fn texts(
    engine: &Arc<Engine>,
    snapshot: &CataloguedSnapshot,
    scope: &DataScope,
    cover: &Cover,
) -> Result<Vec<Text>> {
    let mut texts = Vec::new();
    if !cover.counted_by.is_empty() {
        texts.push((SECOND_COUNT, json(&cover.counted_by)?));
    }
    if let Some(expired) = snapshot.expired {
        let what = format!(
            "The data of snapshot {} is not kept since {}: the definitions of its sources, their correlation rules and \
             the records that were refused cannot be shown any more.\n",
            snapshot.manifest.id,
            expired.to_rfc3339()
        );
        texts.push((NOT_KEPT, what.into_bytes()));
        return Ok(texts);
    }
    let definitions = definitions(engine, snapshot, scope).await?;
    texts.push((CORRELATION_RULES, json(&correlation(&definitions))?));
    texts.push((SOURCE_DEFINITIONS, json(&definitions)?));
    texts.push((REFUSED_RECORDS, refused(engine, snapshot, scope).await?));
    Ok(texts)
}

/// The definitions of the sources, by name, without secrets.
async fn definitions(
    engine: &Arc<Engine>,
    snapshot: &CataloguedSnapshot,
    scope: &DataScope,
) -> Result<Vec<Value>> {
    let rows = engine.table_rows(&snapshot.manifest, "sources", scope, "name, id", SOURCES_MAX).await?;
    let lines = lines(&rows)?;
    let mut definitions = Vec::new();
    for line in lines.0.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let row: Value = serde_json::from_slice(line).map_err(unmade)?;
        let text = row.get("definition").and_then(Value::as_str).ok_or_else(|| unmade("no definition"))?;
        let mut definition = serde_json::from_str(text).map_err(unmade)?;
        hide(&mut definition);
        definitions.push(definition);
    }
    Ok(definitions)
}

/// Removes secrets, and settings that say where secrets are.
fn hide(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.to_ascii_lowercase();
                if SECRETS.iter().any(|word| name.contains(word)) && !member.is_null() {
                    *member = HIDDEN.into();
                } else {
                    hide(member);
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(hide),
        Value::String(text) => {
            // scheme://user:password@host
            if let Some((scheme, rest)) = text.split_once("://")
                && let Some((user, host)) = rest.split('/').next().unwrap_or(rest).rsplit_once('@')
            {
                let path = &rest[user.len() + 1 + host.len()..];
                *text = format!("{scheme}://{HIDDEN}@{host}{path}");
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The rules of each source, in the order in which they are tried.
fn correlation(definitions: &[Value]) -> Vec<Value> {
    let rules = |definition: &Value| {
        let of = |name: &str| definition.get(name).cloned().unwrap_or_default();
        json!({ "source": of("name"), "id": of("id"), "profile": of("profile"), "rules": of("correlation") })
    };
    definitions.iter().map(rules).collect()
}

/// The records that were refused, one JSON object a line.
async fn refused(engine: &Arc<Engine>, snapshot: &CataloguedSnapshot, scope: &DataScope) -> Result<Vec<u8>> {
    let order = "source_name, source_id, line, native_identity, reason";
    let rows =
        engine.table_rows(&snapshot.manifest, "rejected_records", scope, order, REFUSED_MAX + 1).await?;
    let (mut text, rows) = lines(&rows)?;
    if rows > REFUSED_MAX {
        let last = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        text.truncate(last);
        let more =
            format!("the first {REFUSED_MAX} records are listed: sources.json says how many were refused");
        text.extend(serde_json::to_vec(&json!({ "note": more })).map_err(unmade)?);
        text.push(b'\n');
    }
    Ok(text)
}

/// Rows as NDJSON, and how many there are.
fn lines(rows: &[RecordBatch]) -> Result<(Vec<u8>, usize)> {
    let (mut text, mut count) = (Vec::new(), 0);
    for batch in rows {
        let name = |field: &Arc<arrow::datatypes::Field>| ColumnFormat {
            name: field.name().clone(),
            label: field.name().clone(),
        };
        let columns = batch.schema_ref().fields().iter().map(name).collect();
        let mut writer = Box::new(NdjsonWriter::new(&mut text, columns));
        writer.write(batch).map_err(unmade)?;
        writer.finish().map_err(unmade)?;
        count += batch.num_rows();
    }
    Ok((text, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_and_no_place_of_one_is_shown() {
        let mut definition = json!({
            "name": "AD",
            "ldap": { "url": "ldaps://ad.example.org", "bind_dn": "cn=reader", "password_env": "AD_PASSWORD" },
            "sql": { "url": "postgres://reader:s3cret@db:5432/hr?x=a@b", "passwordFile": "/run/secrets/db" },
            "scim": { "token_file": null },
            "correlation": [{ "identity_attribute": "uid", "account_attribute": "employeeNumber" }],
        });
        hide(&mut definition);
        let expected = json!({
            "name": "AD",
            "ldap": { "url": "ldaps://ad.example.org", "bind_dn": "cn=reader", "password_env": "[removed]" },
            "sql": { "url": "postgres://[removed]@db:5432/hr?x=a@b", "passwordFile": "[removed]" },
            "scim": { "token_file": null },
            "correlation": [{ "identity_attribute": "uid", "account_attribute": "employeeNumber" }],
        });
        assert_eq!(definition, expected);
        assert_eq!(
            correlation(&[definition]),
            [json!({ "source": "AD", "id": null, "profile": null, "rules": expected["correlation"] })]
        );
    }
}
