-- Native identities of several records.
SELECT s.first_id, bool_or(f.merge_rows) AS merge_rows, count(*) AS n, count(DISTINCT s.digest) AS kinds
FROM staged s JOIN source_flags f ON f.source_id = s.source_id
GROUP BY s.first_id HAVING count(*) > 1
