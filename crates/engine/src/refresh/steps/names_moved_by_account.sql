-- Native identities by which managers are found, of accounts that were renamed or have another identity.
WITH compared AS (
  SELECT n.native_identity AS now, p.native_identity AS before
  FROM (SELECT id, native_identity, dead_since FROM accounts_now WHERE source_id = $source) n
  LEFT JOIN (SELECT account_id, identity_id FROM owned) o ON o.account_id = n.id
  LEFT JOIN prev_authoritative p ON p.id = n.id
  WHERE (n.native_identity IS DISTINCT FROM p.native_identity)
    OR (CASE WHEN n.dead_since IS NULL THEN o.identity_id END IS DISTINCT FROM p.identity_id))
SELECT now AS name FROM compared UNION ALL SELECT before AS name FROM compared
