-- Authoritative accounts of identities to recompute, as far as they are not recomputed yet.
SELECT p.id FROM prev_authoritative p
LEFT SEMI JOIN affected a ON a.id = p.identity_id
LEFT ANTI JOIN (SELECT id FROM accounts_now) n ON n.id = p.id
