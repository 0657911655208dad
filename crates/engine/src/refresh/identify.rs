//! Which account a record is: the one that had its native identity, or, where the source gives an id that survives
//! renames and that is unique in the read, the one that had that id. So an entry of a directory that was moved stays the
//! account that it was, with its links and its history.
//!
//! An account's own id is made of its first native identity and never changes; a record that takes over the native
//! identity of an account which was moved becomes an account with another id.

use super::accounts::CONTENT;
use super::work::Work;
use crate::error::Result;

/// Leaves `staged`: each record with its digest, and `repeated`: native identities that stand in several of them.
async fn find_repeated(work: &Work) -> Result<u64> {
    work.step(
        "staged",
        &format!(
            "SELECT stable_id('account', source_id, native_identity) AS first_id, source_id, native_identity, line, \
               {CONTENT}, content_digest({CONTENT}) AS digest FROM staged_raw"
        ),
    )
    .await?;
    work.step(
        "repeated",
        "SELECT s.first_id, bool_or(f.merge_rows) AS merge_rows, count(*) AS n, count(DISTINCT s.digest) AS kinds \
         FROM staged s JOIN source_flags f ON f.source_id = s.source_id GROUP BY s.first_id HAVING count(*) > 1",
    )
    .await?;
    work.count("repeated rows", "SELECT count(*) FROM repeated").await
}

/// Leaves `staged_single` and `rejected`. Several rows with one native identity are united where the source says so,
/// collapsed where they are equal, otherwise all of them rejected, since picking one would depend on the order of rows.
pub(super) async fn unite_repeated_rows(work: &Work) -> Result<()> {
    if find_repeated(work).await? == 0 {
        work.alias("staged_single", "staged").await?;
        let view = work.query("rejected", "SELECT * FROM rejected_raw").await?;
        return work.keep("rejected", view).await;
    }
    work.step(
        "united",
        "SELECT s.first_id, min(s.source_id) AS source_id, min(s.native_identity) AS native_identity, \
           min(s.line) AS line, min(s.name) AS name, min(s.display_name) AS display_name, min(s.uuid) AS uuid, \
           bool_or(s.disabled) AS disabled, bool_or(s.locked) AS locked, bool_or(s.system) AS system, \
           bool_or(s.privileged) AS privileged, merge_attributes(array_agg(s.attributes)) AS attributes, \
           merge_texts(array_agg(s.entitlements)) AS entitlements \
         FROM staged s JOIN repeated r ON r.first_id = s.first_id WHERE r.merge_rows GROUP BY s.first_id",
    )
    .await?;
    let columns = format!("first_id, source_id, native_identity, line, {CONTENT}");
    work.step(
        "staged_single",
        &format!(
            "SELECT {columns}, digest FROM staged s WHERE NOT EXISTS (SELECT 1 FROM repeated r WHERE r.first_id = s.first_id) \
             UNION ALL SELECT {columns}, content_digest({CONTENT}) AS digest FROM united \
             UNION ALL SELECT {columns}, digest FROM ( \
               SELECT s.*, row_number() OVER (PARTITION BY s.first_id ORDER BY s.line) AS k \
               FROM staged s JOIN repeated r ON r.first_id = s.first_id WHERE NOT r.merge_rows AND r.kinds = 1) WHERE k = 1"
        ),
    )
    .await?;
    work.step(
        "rejected",
        "SELECT * FROM rejected_raw UNION ALL \
         SELECT s.source_id, f.source_name, s.line, s.native_identity, \
           concat('native identity stands in ', CAST(r.n AS VARCHAR), ' records whose content differs: expected one record for each account') AS reason \
         FROM staged s JOIN repeated r ON r.first_id = s.first_id JOIN source_flags f ON f.source_id = s.source_id \
         WHERE NOT r.merge_rows AND r.kinds > 1",
    )
    .await
}

/// Leaves `staged_known`: the records with `id`, that of the account that each of them is.
pub(super) async fn name_accounts(work: &Work) -> Result<()> {
    // Accounts whose native identity is not the first one they had, and the live one of those that share one.
    work.step(
        "renamed",
        "SELECT source_id, native_identity, id, uuid, dead_since FROM ( \
           SELECT source_id, native_identity, id, uuid, dead_since, row_number() OVER ( \
             PARTITION BY source_id, native_identity ORDER BY dead_since DESC NULLS FIRST, id) AS k \
           FROM prev_read WHERE id <> stable_id('account', source_id, native_identity)) WHERE k = 1",
    )
    .await?;
    // `taken` is the id that a new account would have, where another account has it.
    work.step(
        "by_name",
        "SELECT s.first_id, s.source_id, s.native_identity, s.uuid, c.id AS taken, \
           CASE WHEN c.native_identity = s.native_identity AND (c.dead_since IS NULL OR r.dead_since IS NOT NULL OR r.id IS NULL) \
             THEN c.id ELSE r.id END AS id, \
           CASE WHEN c.native_identity = s.native_identity AND (c.dead_since IS NULL OR r.dead_since IS NOT NULL OR r.id IS NULL) \
             THEN c.uuid ELSE r.uuid END AS known_uuid \
         FROM (SELECT first_id, source_id, native_identity, \
                 CASE WHEN trim(uuid) <> '' THEN uuid END AS uuid FROM staged_single) s \
         LEFT JOIN (SELECT id, native_identity, uuid, dead_since FROM prev_read) c ON c.id = s.first_id \
         LEFT JOIN renamed r ON r.source_id = s.source_id AND r.native_identity = s.native_identity",
    )
    .await?;
    // Records whose uuid is another account's, or nobody's, than that of the account with their native identity.
    work.step(
        "moved_accounts",
        "SELECT u.first_id, coalesce(p.live, p.dead) AS id \
         FROM (SELECT first_id, source_id, uuid FROM by_name WHERE uuid IS NOT NULL AND uuid IS DISTINCT FROM known_uuid) u \
         JOIN (SELECT source_id, uuid FROM by_name WHERE uuid IS NOT NULL GROUP BY source_id, uuid HAVING count(*) = 1) o \
           ON o.source_id = u.source_id AND o.uuid = u.uuid \
         JOIN (SELECT source_id, uuid, min(CASE WHEN dead_since IS NULL THEN id END) AS live, \
                 min(CASE WHEN dead_since IS NOT NULL THEN id END) AS dead \
               FROM prev_read WHERE trim(uuid) <> '' GROUP BY source_id, uuid \
               HAVING sum(CASE WHEN dead_since IS NULL THEN 1 ELSE 0 END) = 1 \
                 OR (sum(CASE WHEN dead_since IS NULL THEN 1 ELSE 0 END) = 0 AND count(*) = 1)) p \
           ON p.source_id = u.source_id AND p.uuid = u.uuid",
    )
    .await?;
    work.step(
        "staged_known",
        &format!(
            "SELECT coalesce(m.id, CASE WHEN c.id IS NULL THEN n.id END, CASE WHEN n.taken IS NULL THEN s.first_id \
               ELSE stable_id('account', s.source_id, s.native_identity, CAST(refresh_time() AS VARCHAR)) END) AS id, \
               s.source_id, s.native_identity, s.line, {content}, s.digest \
             FROM staged_single s JOIN by_name n ON n.first_id = s.first_id \
             LEFT JOIN moved_accounts m ON m.first_id = s.first_id \
             LEFT JOIN (SELECT id FROM moved_accounts) c ON c.id = n.id",
            content = CONTENT.split(", ").map(|name| format!("s.{name}")).collect::<Vec<_>>().join(", ")
        ),
    )
    .await
}
