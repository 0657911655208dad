-- Identities that differ from the last snapshot.
SELECT n.id, n.manager_id, p.manager_id AS prev_manager
FROM identities_next n LEFT JOIN prev_identities p ON p.id = n.id
WHERE p.id IS NULL OR {n p: identities.compared}
