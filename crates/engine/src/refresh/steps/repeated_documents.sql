-- Ids of several documents of a type.
SELECT id, count(*) AS n FROM read_{type} GROUP BY id HAVING count(*) > 1
