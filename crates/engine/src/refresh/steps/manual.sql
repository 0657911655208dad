-- Manual links that take effect. Once a link has found its identity, it keeps it, even if the identity is renamed.
SELECT o.account_id, coalesce(k.id, u.id) AS identity_id, o.identity_name
FROM other o
LEFT JOIN (SELECT id FROM known) k ON k.id = o.prev_identity AND o.prev_link = o.identity_name
LEFT JOIN (
    SELECT k.uid, min(k.id) AS id FROM (SELECT id, uid FROM known) k
    LEFT SEMI JOIN (SELECT identity_name FROM other WHERE identity_name IS NOT NULL) n ON n.identity_name = k.uid
    GROUP BY k.uid HAVING count(*) = 1) u
  ON u.uid = o.identity_name
WHERE o.identity_name IS NOT NULL AND coalesce(k.id, u.id) IS NOT NULL
