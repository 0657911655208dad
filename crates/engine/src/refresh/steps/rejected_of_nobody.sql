-- How many refused records of each source do not say whose they are.
SELECT source_id, count(*) AS n FROM rejected
WHERE native_identity IS NULL OR trim(native_identity) = '' GROUP BY source_id
