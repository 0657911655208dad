-- For each source, the number of its live accounts, of those that are missing, and of those that were missing before
-- and are held.
SELECT p.source_id, sum(CASE WHEN p.held_since IS NULL THEN 1 ELSE 0 END) AS live,
  sum(CASE WHEN p.held_since IS NULL AND s.id IS NULL AND k.id IS NULL THEN 1 ELSE 0 END) AS gone,
  sum(CASE WHEN p.held_since IS NOT NULL AND s.id IS NULL AND k.id IS NULL THEN 1 ELSE 0 END) AS held
FROM (SELECT id, source_id, held_since FROM prev_read WHERE dead_since IS NULL) p
LEFT JOIN (SELECT id FROM staged_one) s ON s.id = p.id
LEFT JOIN kept_ids k ON k.id = p.id
GROUP BY p.source_id
