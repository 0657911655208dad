//! Step 6: identities that could not be processed, and why (`reports.md`, error codes).
//!
//! Errors are of the account that decides its identity, and of accounts too broken to become one.

use super::authoritative::Profile;
use super::work::{Work, literal};
use crate::error::Result;
use std::collections::BTreeSet;

/// Attributes that every identity must have (`identity-model.md`: uid, lastname and email).
const REQUIRED: [&str; 3] = ["uid", "lastname", "email"];

/// Leaves `identity_errors_next`, the table's rows.
pub(super) async fn find(work: &Work, profiles: &[Profile]) -> Result<()> {
    work.step(
        "subjects",
        "SELECT m.account_id, m.source_id, m.rank, m.native_identity, m.uid, m.attributes, m.failures, \
           b.identity_id, attribute_first(m.attributes, 'displayName') AS display_name, f.profile, l.situation, l.candidates \
         FROM mapped m LEFT JOIN best b ON b.account_id = m.account_id \
         JOIN links l ON l.account_id = m.account_id JOIN profiles f ON f.source_id = m.source_id \
         WHERE b.identity_id IS NOT NULL OR l.identity_id IS NULL",
    )
    .await?;
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
        "'manager'",
        "attribute_first(s.attributes, 'manager')",
        "concat('manager ', attribute_first(s.attributes, 'manager'), ' is the uid of no identity, or of several')",
        "subjects s LEFT JOIN managers w ON w.uid = attribute_first(s.attributes, 'manager') \
         WHERE s.identity_id IS NOT NULL AND attribute_first(s.attributes, 'manager') IS NOT NULL AND w.id IS NULL",
    ));
    work.step("errors_found", &parts.join(" UNION ALL ")).await?;
    work.step(
        "identity_errors_next",
        "SELECT f.*, coalesce(p.detected, $now) AS detected FROM errors_found f \
         LEFT JOIN (SELECT id, detected FROM prev_identity_errors) p ON p.id = f.id",
    )
    .await
}

fn part(severity: &str, code: &str, attribute: &str, value: &str, message: &str, from: &str) -> String {
    format!(
        "SELECT stable_id('error', s.source_id, s.native_identity, {code}, coalesce({attribute}, '')) AS id, \
           s.identity_id, CASE WHEN s.identity_id IS NOT NULL THEN s.uid END AS identity_name, s.display_name, \
           s.native_identity, s.source_id, s.profile, {severity} AS severity, {code} AS error_code, \
           {attribute} AS attribute, {value} AS value, {message} AS message FROM {from}"
    )
}
