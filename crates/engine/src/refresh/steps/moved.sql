-- Identities whose attributes changed, or that gained or lost their authoritative account.
SELECT k.id, k.attributes AS now, p.attributes AS before,
  p.id IS NULL OR content_digest(k.attributes) <> content_digest(p.attributes) AS differs,
  coalesce(p.correlated, false) <> (b.identity_id IS NOT NULL) AS changed_hands
FROM {known} k
LEFT JOIN {before} p ON p.id = k.id
LEFT JOIN (SELECT identity_id FROM best) b ON b.identity_id = k.id
WHERE p.id IS NULL OR content_digest(k.attributes) <> content_digest(p.attributes)
  OR p.correlated <> (b.identity_id IS NOT NULL)
