//! Steps 5 and 7: identities with their attributes, counts and managers; then with what errors say of them, and dates.
//!
//! `status` is what the lifecycle state means and nothing else; errors and warnings stand in `processing_state`. An
//! identity that lost its authoritative account keeps the last status and manager that it had.

use super::authoritative::Profile;
use super::work::{Work, literal};
use crate::declared::{IDENTITIES, Table};
use crate::error::Result;
use crate::functions::lifecycle_attribute;
use muster_sources::ManagerMatch;
use std::collections::BTreeSet;

/// Leaves `identities_gathered`: every identity but for what errors say of it, digest and modified.
pub(super) async fn gather(work: &Work, profiles: &[Profile]) -> Result<()> {
    count_accounts(work).await?;
    find_managers(work, profiles).await?;
    work.step("identities_gathered", &GATHERED.replace("{lifecycle}", lifecycle_attribute())).await
}

/// Leaves `managers`: by what is compared (`kind`) and the text that is compared, the only identity that has it.
/// Native identities that are written in another case are found too, where none is written so exactly.
async fn find_managers(work: &Work, profiles: &[Profile]) -> Result<()> {
    let mut kinds = BTreeSet::new();
    let mut found = vec!["SELECT '' AS kind, '' AS name, '' AS id WHERE false".to_owned()];
    for (rank, profile) in
        profiles.iter().enumerate().filter(|(_, profile)| kinds.insert(profile.manager_kind()))
    {
        let kind = literal(&profile.manager_kind());
        match &profile.definition.manager.matched {
            ManagerMatch::Attribute(name) => found.push(format!(
                "SELECT {kind} AS kind, attribute_first(attributes, {}) AS name, id FROM known",
                literal(name)
            )),
            ManagerMatch::NativeIdentity => {
                let accounts = format!(
                    "(SELECT m.native_identity, o.identity_id FROM mapped m \
                      JOIN (SELECT account_id, identity_id FROM owned) o ON o.account_id = m.account_id WHERE m.rank = {rank})"
                );
                found.push(format!(
                    "SELECT {kind} AS kind, native_identity AS name, identity_id AS id FROM {accounts}"
                ));
                found.push(format!(
                    "SELECT concat('folded ', {kind}) AS kind, lower(native_identity) AS name, identity_id AS id FROM {accounts}"
                ));
            }
        }
    }
    work.step(
        "managers",
        &format!(
            "SELECT kind, name, min(id) AS id FROM ({}) WHERE name IS NOT NULL GROUP BY kind, name HAVING count(*) = 1",
            found.join(" UNION ALL ")
        ),
    )
    .await
}

async fn count_accounts(work: &Work) -> Result<()> {
    work.step(
        "account_counts",
        "SELECT identity_id, CAST(count(*) AS INT) AS n FROM ( \
           SELECT identity_id FROM links UNION ALL SELECT identity_id FROM carried_accounts WHERE dead_since IS NULL) \
         WHERE identity_id IS NOT NULL GROUP BY identity_id",
    )
    .await
}

/// Leaves `identities_next` and `identity_errors_next` as the last snapshot has them, but for the counts of accounts.
pub(super) async fn keep(work: &Work) -> Result<()> {
    count_accounts(work).await?;
    let columns: Vec<_> = Table::of(IDENTITIES)
        .listed()
        .iter()
        .map(|column| match column.name {
            "account_count" => "coalesce(c.n, 0) AS account_count".to_owned(),
            name => format!("p.{name}"),
        })
        .collect();
    let sql = format!(
        "SELECT {} FROM prev_identities p LEFT JOIN account_counts c ON c.identity_id = p.id",
        columns.join(", ")
    );
    work.view("identities_next", &sql).await?;
    work.view("identity_errors_next", "SELECT * FROM prev_identity_errors").await
}

const GATHERED: &str = "
SELECT g.*, coalesce(c.n, 0) AS account_count, w.uid AS manager_name
FROM (
  SELECT b.identity_id AS id, m.attributes, m.uid AS name,
    attribute_first(m.attributes, 'displayName') AS display_name,
    attribute_first(m.attributes, 'firstname') AS first_name,
    attribute_first(m.attributes, 'lastname') AS last_name,
    attribute_first(m.attributes, 'email') AS email,
    coalesce(r.id, q.id) AS manager_id,
    attribute_first(m.attributes, '{lifecycle}') AS lifecycle_state, m.status,
    f.profile, m.source_id AS authoritative_source_id, f.source_name AS authoritative_source,
    f.source_name AS last_authoritative_source,
    true AS correlated, m.protected, no_time() AS lost_since,
    m.account_id, p.digest AS prev_digest, coalesce(p.created, refresh_time()) AS created, p.modified AS prev_modified
  FROM mapped m JOIN best b ON b.account_id = m.account_id
  JOIN profiles f ON f.source_id = m.source_id
  LEFT JOIN managers r ON r.kind = m.manager_kind AND r.name = m.manager
  LEFT JOIN managers q ON q.kind = concat('folded ', m.manager_kind) AND q.name = lower(m.manager)
  LEFT JOIN (SELECT id, digest, created, modified FROM prev_identities) p ON p.id = b.identity_id
  UNION ALL
  SELECT p.id, p.attributes, p.name, p.display_name, p.first_name, p.last_name, p.email,
    p.manager_id, p.lifecycle_state, CASE WHEN p.status NOT IN ('ERROR', 'WARNING') THEN p.status END,
    CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), p.last_authoritative_source,
    false, p.protected, CASE WHEN p.correlated THEN refresh_time() ELSE p.lost_since END,
    CAST(NULL AS VARCHAR), p.digest, p.created, p.modified
  FROM prev_identities p
  WHERE NOT EXISTS (SELECT 1 FROM best b WHERE b.identity_id = p.id)
) g
LEFT JOIN account_counts c ON c.identity_id = g.id
LEFT JOIN (SELECT id, uid FROM known) w ON w.id = g.manager_id";

/// Leaves `identities_next`, the table's rows.
pub(super) async fn finish(work: &Work) -> Result<()> {
    work.step("identities_next", FINISHED).await
}

const FINISHED: &str = "
SELECT id, name, display_name, first_name, last_name, email, profile, authoritative_source_id, authoritative_source,
  last_authoritative_source, lifecycle_state, status, processing_state, correlated, protected, manager_id, manager_name,
  account_count, attributes, account_id, lost_since, digest, created,
  CASE WHEN prev_digest = digest THEN prev_modified ELSE refresh_time() END AS modified
FROM (
  SELECT *, content_digest(name, display_name, first_name, last_name, email, profile, authoritative_source_id,
    last_authoritative_source, lifecycle_state, status, processing_state, correlated, protected, manager_id, attributes)
    AS digest
  FROM (
    SELECT g.*,
      CASE WHEN e.errors > 0 THEN 'ERROR' WHEN e.warnings > 0 THEN 'WARNING' END AS processing_state
    FROM identities_gathered g
    LEFT JOIN (
      SELECT identity_id, sum(CASE WHEN severity = 'ERROR' THEN 1 ELSE 0 END) AS errors,
        sum(CASE WHEN severity = 'WARN' THEN 1 ELSE 0 END) AS warnings
      FROM identity_errors_next WHERE identity_id IS NOT NULL GROUP BY identity_id
    ) e ON e.identity_id = g.id
  )
)";
