-- The number of known live accounts of each source.
SELECT source_id, count(*) AS live FROM prev_read WHERE dead_since IS NULL GROUP BY source_id
