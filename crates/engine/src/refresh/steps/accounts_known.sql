-- How many live accounts of each source were known.
SELECT source_id, count(*) AS live FROM prev_read WHERE dead_since IS NULL GROUP BY source_id
