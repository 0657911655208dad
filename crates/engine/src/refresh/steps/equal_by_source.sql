-- The number of records of each source that are equal to their accounts.
SELECT source_id, sum(n) AS n FROM (
  SELECT source_id, count(*) AS n FROM staged_single WHERE NOT (source_id IN ($failed)) GROUP BY source_id
  UNION ALL
  SELECT source_id, -count(*) AS n FROM differences WHERE first_id IS NOT NULL GROUP BY source_id)
GROUP BY source_id
