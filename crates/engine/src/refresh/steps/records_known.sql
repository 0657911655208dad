-- How many records each source gave, and how many of them are of accounts that were known.
SELECT s.source_id, count(*) AS records, count(p.id) AS known
FROM staged_known s LEFT JOIN (SELECT id FROM prev_read) p ON p.id = s.id
GROUP BY s.source_id
