-- The number of refused records of each source that do not say which account they belong to.
SELECT source_id, count(*) AS n FROM rejected
WHERE native_identity IS NULL OR trim(native_identity) = '' GROUP BY source_id
