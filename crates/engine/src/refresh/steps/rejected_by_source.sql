-- How many records of each source were refused.
SELECT source_id, count(*) AS n FROM rejected GROUP BY source_id
