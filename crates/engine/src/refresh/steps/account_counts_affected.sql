-- The number of live accounts of each recomputed identity.
SELECT identity_id, CAST(sum(n) AS INT) AS n FROM (
  SELECT id AS identity_id, account_count AS n FROM affected_identities
  UNION ALL
  SELECT identity_id, n FROM account_deltas)
GROUP BY identity_id
