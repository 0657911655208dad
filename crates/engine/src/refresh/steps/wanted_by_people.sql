-- Authoritative accounts to recompute: those that belong to no identity, those whose identity has an account that changed,
-- and those that refused records concern.
SELECT id FROM prev_authoritative WHERE identity_id IS NULL
UNION
SELECT p.id FROM prev_authoritative p
LEFT SEMI JOIN (SELECT prev_identity FROM accounts_now WHERE authoritative) n ON n.prev_identity = p.identity_id
UNION
SELECT p.id FROM prev_authoritative p
LEFT SEMI JOIN rejected r ON r.source_id = p.source_id AND r.native_identity = p.native_identity
UNION
SELECT p.id FROM prev_authoritative p
LEFT SEMI JOIN (SELECT identity_id FROM prev_identity_errors WHERE error_code = 'RECORD_REFUSED') e
  ON e.identity_id = p.identity_id
