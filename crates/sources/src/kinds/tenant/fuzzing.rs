//! What holds for every answer of a tenant.

use serde_json::Value;

use super::reader::{Making, prepare};
use super::{TenantObjects, TenantSettings, source};
use crate::account::AccountSink;
use crate::fuzzing::rows::{Outcome, check, check_reason, take};
use crate::named_columns::NamedColumns;

/// A line with the schemas of a source, one with a list of its accounts, and one with a list of identities.
///
/// What holds for every reader; besides, what an account's own attributes say is never taken for what the tenant says.
pub fn tenant_objects(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut line =
        || lines.next().and_then(|line| serde_json::from_slice::<Value>(line).ok()).unwrap_or_default();
    let (schemas, accounts, identities) = (line(), line(), line());
    let schema = match source::of_accounts(&schemas) {
        Ok(schema) => schema,
        Err(reason) => {
            check_reason(&reason);
            None
        }
    };
    let settings = settings("objects = \"accounts\"\nsource = \"HR\"");
    match prepare(&settings, schema, NamedColumns::default()) {
        Ok((sink, known)) => objects(sink, Making::new(TenantObjects::Accounts, known), accounts),
        Err(reason) => check_reason(&reason),
    }
    let settings = self::settings("objects = \"identities\"");
    objects(
        AccountSink::new(settings.account_settings(), NamedColumns::default()),
        Making::new(TenantObjects::Identities, None),
        identities,
    );
}

fn settings(more: &str) -> TenantSettings {
    let text = format!("url = \"https://example.api.identitynow.com\"\nclient_id = \"c\"\n{more}");
    toml::from_str(&text).expect("the settings are sound")
}

fn objects(mut sink: AccountSink, mut making: Making, list: Value) {
    let Value::Array(elements) = list else { return };
    let count = elements.len() as u64;
    let names: Vec<Option<String>> =
        elements.iter().filter(|element| element.is_object()).map(own_id).collect();
    for element in elements {
        match making.record(element) {
            Some(record) => {
                let given = record.text("tenant.id").map(str::to_owned);
                sink.push(record);
                assert!(given.is_none() || names.contains(&given), "{given:?} is not of the tenant");
            }
            None => sink.reject(0, None, "the element is not a JSON object".to_owned()),
        }
    }
    making.warnings().for_each(|warning| sink.warn(warning));
    let (mut rows, mut rejections) = (Vec::new(), Vec::new());
    if let Some(batch) = sink.take().expect("records are of one schema") {
        take(batch, &mut rows, &mut rejections);
    }
    let summary = sink.summary(None).expect("no name is wanted");
    assert_eq!(summary.read, count);
    check(&Outcome { rows, rejections, summary });
}

/// What the tenant says is an object's id.
fn own_id(element: &Value) -> Option<String> {
    match &element["id"] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(element["id"].to_string())
        }
    }
}
