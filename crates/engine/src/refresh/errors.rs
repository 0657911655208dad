//! Step 6: identities that could not be processed, and why (docs/messages.md has the error codes).
//!
//! Errors are of the account that decides its identity, of accounts too broken to become one, and of records that were
//! refused.

use super::authoritative::Profile;
use super::work::{Work, literal};
use crate::error::Result;
use crate::functions::lifecycle_attribute;
use std::collections::BTreeSet;

/// Attributes that every identity must have (docs/identity-model.md).
const REQUIRED: [&str; 3] = ["uid", "lastname", "email"];

/// Leaves `identity_errors_next`, the table's rows.
pub(super) async fn find(work: &Work, profiles: &[Profile]) -> Result<()> {
    work.step(
        "subjects",
        "SELECT m.account_id, m.source_id, m.rank, m.native_identity, m.uid, m.attributes, m.failures, m.unmapped, \
           m.manager, m.manager_attribute, m.manager_means, b.identity_id, attribute_first(m.attributes, 'displayName') AS display_name, f.profile, l.situation, l.candidates \
         FROM mapped m LEFT JOIN best b ON b.account_id = m.account_id \
         JOIN links l ON l.account_id = m.account_id JOIN profiles f ON f.source_id = m.source_id \
         WHERE b.identity_id IS NOT NULL OR l.identity_id IS NULL",
    )
    .await?;
    let state = literal(lifecycle_attribute());
    let mut parts: Vec<String> = Vec::new();
    for (rank, profile) in profiles.iter().enumerate() {
        let required: BTreeSet<&str> = REQUIRED
            .into_iter()
            .chain(profile.definition.attributes.iter().filter(|a| a.required).map(|a| a.name.as_str()))
            .collect();
        for name in required {
            let quoted = literal(name);
            parts.push(part(
                "'ERROR'",
                "'MISSING_REQUIRED_ATTRIBUTE'",
                &quoted,
                "CAST(NULL AS VARCHAR)",
                &format!("concat('attribute ', {quoted}, ' is empty after mapping: the identity profile requires it')"),
                &format!("subjects s WHERE s.rank = {rank} AND attribute_first(s.attributes, {quoted}) IS NULL"),
            ));
        }
    }
    parts.push(part(
        "'ERROR'",
        "'TRANSFORM_FAILED'",
        "split_part(s.failure, chr(9), 1)",
        "substr(s.failure, strpos(s.failure, chr(9)) + 1)",
        "concat('the transforms of attribute ', split_part(s.failure, chr(9), 1), ' give no result for this value')",
        "(SELECT *, unnest(failures) AS failure FROM subjects) s WHERE s.failure IS NOT NULL",
    ));
    parts.push(part(
        "'ERROR'",
        "'NON_UNIQUE_ATTRIBUTE'",
        "'uid'",
        "s.uid",
        "concat('uid is shared by ', CAST(c.n AS VARCHAR), ' identities: ', c.ids)",
        "subjects s JOIN (SELECT uid, count(*) AS n, array_to_string(array_sort(array_agg(id)), ', ') AS ids \
           FROM known WHERE uid IS NOT NULL GROUP BY uid HAVING count(*) > 1) c ON c.uid = s.uid \
         WHERE s.identity_id IS NOT NULL",
    ));
    parts.push(part(
        "'ERROR'",
        "'DISPUTED_CORRELATION'",
        "CAST(NULL AS VARCHAR)",
        "CAST(NULL AS VARCHAR)",
        "concat('the account matches more than one identity: ', array_to_string(s.candidates, ', '))",
        "subjects s WHERE s.situation = 'DISPUTED'",
    ));
    parts.push(part(
        "'WARN'",
        "'MANAGER_UNRESOLVED'",
        "s.manager_attribute",
        "s.manager",
        "concat('manager ', s.manager, ' is the ', s.manager_means, ' of no identity, or of several')",
        "subjects s JOIN (SELECT id, manager_id FROM identities_gathered) g ON g.id = s.identity_id \
         WHERE s.manager IS NOT NULL AND g.manager_id IS NULL",
    ));
    parts.push(part(
        "'WARN'",
        "'UNMAPPED_LIFECYCLE_VALUE'",
        &state,
        "nullif(s.unmapped, '')",
        "CASE WHEN s.unmapped = '' THEN 'the record has no lifecycle state: expected a value that the identity profile maps' \
           ELSE concat('the identity profile does not say what the lifecycle state ', s.unmapped, ' means') END",
        "subjects s WHERE s.identity_id IS NOT NULL AND s.unmapped IS NOT NULL",
    ));
    parts.push(part(
        "'WARN'",
        "'MULTIPLE_RECORDS'",
        &state,
        &format!("attribute_first(s.attributes, {state})"),
        "concat('the person has ', CAST(r.n AS VARCHAR), ' records, whose states differ: ', r.records, '; ', \
           s.native_identity, ' decides')",
        &format!(
            "subjects s JOIN ( \
               SELECT o.identity_id, m.rank, count(*) AS n, array_to_string(array_sort(array_agg( \
                   concat(m.native_identity, ' (', coalesce(attribute_first(m.attributes, {state}), 'none'), ')'))), ', ') AS records \
               FROM mapped m JOIN (SELECT account_id, identity_id FROM owned) o ON o.account_id = m.account_id \
               GROUP BY o.identity_id, m.rank \
               HAVING count(DISTINCT coalesce(attribute_first(m.attributes, {state}), '')) > 1) r \
             ON r.identity_id = s.identity_id AND r.rank = s.rank"
        ),
    ));
    // The record of somebody who is known is an error of that identity.
    parts.push(part(
        "'ERROR'",
        "'RECORD_REFUSED'",
        "CAST(NULL AS VARCHAR)",
        "CAST(NULL AS VARCHAR)",
        "concat(CASE WHEN s.line > 0 THEN concat('line ', CAST(s.line AS VARCHAR), ': ') ELSE '' END, s.reason)",
        "(SELECT r.source_id, r.native_identity, r.line, r.reason, f.profile, o.identity_id, k.uid, \
            attribute_first(k.attributes, 'displayName') AS display_name, \
            concat(r.reason, ' ', CAST(row_number() OVER ( \
              PARTITION BY r.source_id, r.native_identity, r.reason ORDER BY r.line) AS VARCHAR)) AS which \
          FROM rejected r JOIN profiles f ON f.source_id = r.source_id \
          LEFT JOIN (SELECT account_id, source_id, native_identity FROM mapped) m \
            ON m.source_id = r.source_id AND m.native_identity = r.native_identity \
          LEFT JOIN (SELECT account_id, identity_id FROM owned) o ON o.account_id = m.account_id \
          LEFT JOIN known k ON k.id = o.identity_id) s",
    ));
    work.step("errors_found", &parts.join(" UNION ALL ")).await?;
    work.step(
        "identity_errors_next",
        "SELECT f.*, coalesce(p.detected, refresh_time()) AS detected FROM errors_found f \
         LEFT JOIN (SELECT id, detected FROM prev_identity_errors) p ON p.id = f.id",
    )
    .await
}

/// The rows of one code. An error stays the same one as long as its record has it.
fn part(severity: &str, code: &str, attribute: &str, value: &str, message: &str, from: &str) -> String {
    let which = if code == "'RECORD_REFUSED'" { "s.which" } else { attribute };
    format!(
        "SELECT stable_id('error', s.source_id, coalesce(s.native_identity, ''), {code}, coalesce({which}, '')) AS id, \
           s.identity_id, CASE WHEN s.identity_id IS NOT NULL THEN s.uid END AS identity_name, s.display_name, \
           s.native_identity, s.source_id, s.profile, {severity} AS severity, {code} AS error_code, \
           {attribute} AS attribute, {value} AS value, {message} AS message FROM {from}"
    )
}
