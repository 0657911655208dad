-- The usable records.
SELECT * FROM staged_known WHERE NOT (source_id IN ($failed))
