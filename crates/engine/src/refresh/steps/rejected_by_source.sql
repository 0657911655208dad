-- The number of refused records of each source.
SELECT source_id, count(*) AS n FROM rejected GROUP BY source_id
