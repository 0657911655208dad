-- Identities with a recomputed authoritative account, now or before.
SELECT identity_id AS id FROM owned
UNION
SELECT prev_identity AS id FROM accounts_now WHERE authoritative AND prev_identity IS NOT NULL
