-- Identities that differ from the last snapshot, and whether documents of others show another name of them.
SELECT n.id, n.manager_id, p.manager_id AS prev_manager, n.display_name IS DISTINCT FROM p.display_name AS renamed
FROM {identities} n LEFT JOIN {before} p ON p.id = n.id
WHERE p.id IS NULL OR {n p: identities.compared}
