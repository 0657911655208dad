-- Accounts that still exist although their records cannot be used or did not change.
SELECT p.id, bool_or(n.present) AS present
FROM (SELECT source_id, native_identity, false AS present FROM rejected WHERE native_identity IS NOT NULL
      UNION ALL SELECT source_id, native_identity, true AS present FROM present_raw) n
JOIN (SELECT id, source_id, native_identity FROM prev_read) p
  ON p.source_id = n.source_id AND p.native_identity = n.native_identity
GROUP BY p.id
