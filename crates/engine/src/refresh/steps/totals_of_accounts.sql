-- The totals of accounts that a person looks at first.
SELECT count(CASE WHEN dead_since IS NULL AND identity_id IS NOT NULL THEN 1 END) AS linked_accounts,
  count(CASE WHEN dead_since IS NULL AND NOT system AND uncorrelated THEN 1 END) AS uncorrelated_accounts,
  count(CASE WHEN dead_since IS NULL AND situation = 'DISPUTED' THEN 1 END) AS disputed_accounts
FROM {version}_accounts
