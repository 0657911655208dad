//! Steps 5 and 7: identities with their attributes, counts and managers; then with status and dates.

use super::work::Work;
use crate::error::Result;
use crate::functions::lifecycle_attribute;
use crate::schemas;

/// Leaves `identities_gathered`: every identity but for status, digest and modified.
pub(super) async fn gather(work: &Work) -> Result<()> {
    count_accounts(work).await?;
    work.step(
        "managers",
        "SELECT uid, min(id) AS id FROM known WHERE uid IS NOT NULL GROUP BY uid HAVING count(*) = 1",
    )
    .await?;
    work.step("identities_gathered", &GATHERED.replace("{lifecycle}", lifecycle_attribute())).await
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
    let columns: Vec<_> = schemas::of("identities")
        .fields()
        .iter()
        .map(|field| match field.name().as_str() {
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
SELECT g.*, coalesce(c.n, 0) AS account_count,
  w.id AS manager_id, CASE WHEN w.id IS NOT NULL THEN g.manager_uid END AS manager_name
FROM (
  SELECT b.identity_id AS id, m.attributes, m.uid AS name,
    attribute_first(m.attributes, 'displayName') AS display_name,
    attribute_first(m.attributes, 'firstname') AS first_name,
    attribute_first(m.attributes, 'lastname') AS last_name,
    attribute_first(m.attributes, 'email') AS email,
    attribute_first(m.attributes, 'manager') AS manager_uid,
    attribute_first(m.attributes, '{lifecycle}') AS lifecycle_state,
    f.profile, m.source_id AS authoritative_source_id, f.source_name AS authoritative_source,
    f.source_name AS last_authoritative_source,
    true AS correlated, m.protected, $never AS lost_since,
    m.account_id, p.digest AS prev_digest, coalesce(p.created, $now) AS created, p.modified AS prev_modified
  FROM mapped m JOIN best b ON b.account_id = m.account_id
  JOIN profiles f ON f.source_id = m.source_id
  LEFT JOIN (SELECT id, digest, created, modified FROM prev_identities) p ON p.id = b.identity_id
  UNION ALL
  SELECT p.id, p.attributes, p.name, p.display_name, p.first_name, p.last_name, p.email,
    attribute_first(p.attributes, 'manager'), p.lifecycle_state,
    CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), p.last_authoritative_source,
    false, p.protected, CASE WHEN p.correlated THEN $now ELSE p.lost_since END,
    CAST(NULL AS VARCHAR), p.digest, p.created, p.modified
  FROM prev_identities p
  WHERE NOT EXISTS (SELECT 1 FROM best b WHERE b.identity_id = p.id)
) g
LEFT JOIN account_counts c ON c.identity_id = g.id
LEFT JOIN managers w ON w.uid = g.manager_uid";

/// Leaves `identities_next`, the table's rows.
pub(super) async fn finish(work: &Work) -> Result<()> {
    work.step("identities_next", FINISHED).await
}

const FINISHED: &str = "
SELECT id, name, display_name, first_name, last_name, email, profile, authoritative_source_id, authoritative_source,
  last_authoritative_source, lifecycle_state, status, correlated, protected, manager_id, manager_name, account_count,
  attributes, lost_since, digest, created,
  CASE WHEN prev_digest = digest THEN prev_modified ELSE $now END AS modified
FROM (
  SELECT *, content_digest(name, display_name, first_name, last_name, email, profile, authoritative_source_id,
    last_authoritative_source, lifecycle_state, status, correlated, protected, manager_id, attributes) AS digest
  FROM (
    SELECT g.*,
      CASE WHEN e.errors > 0 THEN 'ERROR'
           WHEN e.warnings > 0 THEN 'WARNING'
           WHEN lower(g.lifecycle_state) = 'terminated' THEN 'TERMINATED'
           WHEN lower(g.lifecycle_state) = 'inactive' THEN 'DISABLED'
           ELSE 'ACTIVE' END AS status
    FROM identities_gathered g
    LEFT JOIN (
      SELECT identity_id, sum(CASE WHEN severity = 'ERROR' THEN 1 ELSE 0 END) AS errors,
        sum(CASE WHEN severity = 'WARN' THEN 1 ELSE 0 END) AS warnings
      FROM identity_errors_next WHERE identity_id IS NOT NULL GROUP BY identity_id
    ) e ON e.identity_id = g.id
  )
)";
