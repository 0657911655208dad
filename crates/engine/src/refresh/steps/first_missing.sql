-- The first known accounts of a source that its read does not contain.
SELECT p.id FROM (
  SELECT id FROM prev_read WHERE source_id = $source AND dead_since IS NULL AND held_since IS NULL) p
LEFT ANTI JOIN staged_one s ON s.id = p.id
LEFT ANTI JOIN kept_ids k ON k.id = p.id
ORDER BY p.id LIMIT $shown
