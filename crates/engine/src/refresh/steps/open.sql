-- Authoritative accounts that belong to no identity at the end.
SELECT account_id, source_id, uid, account_attributes AS attributes FROM mapped m
WHERE NOT EXISTS (SELECT 1 FROM owned o WHERE o.account_id = m.account_id)
