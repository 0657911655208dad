-- The identities with a recomputed account, with their current attributes.
SELECT b.identity_id AS id, m.uid, m.attributes FROM mapped m JOIN best b ON b.account_id = m.account_id
UNION ALL
SELECT p.id, p.name AS uid, p.attributes FROM affected_identities p
WHERE NOT EXISTS (SELECT 1 FROM best b WHERE b.identity_id = p.id)
