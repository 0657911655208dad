-- The uids of several identities. Lists are collected only of what is shared: to collect one for each identity would take
-- longer than all of this.
SELECT k.uid, count(*) AS n, array_to_string(array_sort(array_agg(k.id)), ', ') AS ids
FROM (SELECT id, uid FROM known) k
JOIN (SELECT uid FROM known WHERE uid IS NOT NULL GROUP BY uid HAVING count(*) > 1) d ON d.uid = k.uid
GROUP BY k.uid
