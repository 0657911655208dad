-- The uids of several identities, as far as a recomputed identity has one of them.
SELECT k.uid, count(*) AS n, array_to_string(array_sort(array_agg(k.id)), ', ') AS ids
FROM (SELECT id, uid FROM known) k LEFT SEMI JOIN subjects s ON s.uid = k.uid
GROUP BY k.uid HAVING count(*) > 1
