-- The number of records of each source, and how many of them belong to known accounts.
SELECT s.source_id, count(*) AS records, count(p.id) AS known
FROM staged_known s LEFT JOIN (SELECT id FROM prev_read) p ON p.id = s.id
GROUP BY s.source_id
