-- Native identities that occur in several records, of the sources that may have any. Only their digests are compared, the
-- least with the greatest: a set of digests for every account would cost more than all other steps of a refresh.
SELECT s.first_id, bool_or(f.merge_rows) AS merge_rows, count(*) AS n, min(s.digest) <> max(s.digest) AS differ
FROM staged s
JOIN (SELECT first_id FROM staged WHERE source_id IN ($sources) GROUP BY first_id HAVING count(*) > 1) r
  ON r.first_id = s.first_id
JOIN source_flags f ON f.source_id = s.source_id
WHERE s.source_id IN ($sources)
GROUP BY s.first_id
