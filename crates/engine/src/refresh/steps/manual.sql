-- Manual links that take effect. Once a link has found its identity, it keeps it, even if the identity is renamed.
SELECT o.account_id, coalesce(k.id, u.id) AS identity_id, o.identity_name
FROM other o
LEFT JOIN (SELECT id FROM known) k ON k.id = o.prev_identity AND o.prev_link = o.identity_name
LEFT JOIN (SELECT uid, min(id) AS id FROM known WHERE uid IS NOT NULL GROUP BY uid HAVING count(*) = 1) u
  ON u.uid = o.identity_name
WHERE o.identity_name IS NOT NULL AND coalesce(k.id, u.id) IS NOT NULL
