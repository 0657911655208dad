-- Authoritative accounts with their identity: linked accounts keep theirs.
SELECT m.account_id, m.prev_identity AS identity_id, m.prev_rule AS matched_rule
FROM mapped m JOIN (SELECT id FROM prev_identities) p ON p.id = m.prev_identity
