-- Ids that several documents of a type have.
SELECT id, count(*) AS n FROM read_{type} GROUP BY id HAVING count(*) > 1
