-- What the records add up to that accounts are made of, and those that are refused because several of them have one native
-- identity and differ. The numbers have 9 decimals, and room for all of them together.
SELECT s.source_id, CASE WHEN r.first_id IS NULL THEN 'loaded' ELSE 'refused' END AS part,
  CAST(sum(CAST(s.added AS DECIMAL(76, 9))) AS VARCHAR) AS added
FROM summed_raw s
LEFT JOIN (SELECT first_id FROM repeated WHERE NOT merge_rows AND differ) r ON r.first_id = s.first_id
GROUP BY 1, 2
