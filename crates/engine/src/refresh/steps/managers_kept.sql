-- Managers that are the same as in the last snapshot.
SELECT DISTINCT m.manager_kind AS kind, m.manager AS name, p.manager_id AS id
FROM mapped m JOIN best b ON b.account_id = m.account_id
JOIN affected_identities p ON p.id = b.identity_id
LEFT ANTI JOIN managers_asked a ON a.kind = m.manager_kind AND a.name = m.manager
WHERE m.manager IS NOT NULL
