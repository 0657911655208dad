-- The number of live accounts of each identity.
SELECT identity_id, CAST(count(*) AS INT) AS n FROM (
  SELECT identity_id FROM links UNION ALL SELECT identity_id FROM carried_accounts WHERE dead_since IS NULL)
WHERE identity_id IS NOT NULL GROUP BY identity_id
