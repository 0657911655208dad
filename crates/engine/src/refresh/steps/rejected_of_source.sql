-- The first refused records of a source.
SELECT line, native_identity, reason FROM rejected WHERE source_id = $source ORDER BY line, reason LIMIT $shown
