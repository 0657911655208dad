-- The records that can be used.
SELECT * FROM staged_known WHERE NOT (source_id IN ($failed))
