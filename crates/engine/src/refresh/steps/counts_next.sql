-- The counts of this snapshot, as the reports count. A source without any rows has a count of 0, so that a trend falls
-- to zero.
SELECT $snapshot AS snapshot_id, refresh_time() AS taken, counted, source_id, number FROM (
  SELECT 'identities' AS counted, CAST(NULL AS VARCHAR) AS source_id, count(*) AS number FROM written_identities
  UNION ALL
  SELECT 'orphan identities', NULL, count(*) FROM written_identities WHERE NOT correlated AND NOT protected
  UNION ALL
  SELECT 'accounts', NULL, count(*) FROM written_accounts WHERE dead_since IS NULL AND NOT system
  UNION ALL
  SELECT 'uncorrelated accounts', NULL, count(*) FROM written_accounts
  WHERE dead_since IS NULL AND NOT system AND uncorrelated
  UNION ALL
  SELECT 'accounts', s.id, count(a.id) FROM sources_next s
  LEFT JOIN (SELECT id, source_id FROM written_accounts WHERE dead_since IS NULL) a ON a.source_id = s.id
  GROUP BY s.id
  UNION ALL
  SELECT 'identity errors', s.id, count(e.id) FROM sources_next s
  LEFT JOIN written_identity_errors e ON e.source_id = s.id WHERE s.authoritative GROUP BY s.id)
