-- The uuids of the records.
SELECT source_id, uuid FROM by_name WHERE uuid IS NOT NULL
