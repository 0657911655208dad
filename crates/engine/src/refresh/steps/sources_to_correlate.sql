-- Sources with accounts to link.
SELECT DISTINCT source_id FROM other
