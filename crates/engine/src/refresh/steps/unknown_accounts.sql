-- For each source, the number of accounts that a read of changes lists as existing and that are unknown.
SELECT n.source_id, count(*) AS n
FROM (SELECT DISTINCT source_id, native_identity FROM present_raw) n
LEFT ANTI JOIN (SELECT source_id, native_identity FROM staged_one) s
  ON s.source_id = n.source_id AND s.native_identity = n.native_identity
LEFT ANTI JOIN (SELECT source_id, native_identity FROM prev_accounts WHERE dead_since IS NULL) p
  ON p.source_id = n.source_id AND p.native_identity = n.native_identity
GROUP BY n.source_id
