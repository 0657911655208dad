-- Authoritative accounts with the identity that each belongs to: those that were linked keep theirs.
SELECT m.account_id, m.prev_identity AS identity_id, m.prev_rule AS matched_rule
FROM mapped m JOIN (SELECT id FROM prev_identities) p ON p.id = m.prev_identity
