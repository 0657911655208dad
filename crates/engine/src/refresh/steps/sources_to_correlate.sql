-- Sources with accounts to be linked.
SELECT DISTINCT source_id FROM other
