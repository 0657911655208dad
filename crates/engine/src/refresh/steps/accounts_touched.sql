-- Recomputed accounts that differ from the last snapshot, or whose source's definition changed.
SELECT n.id, n.source_id, n.identity_id, p.identity_id AS prev_identity
FROM accounts_next n LEFT JOIN prev_of_now p ON p.id = n.id
WHERE p.id IS NULL OR {n p: accounts.compared} OR n.source_id IN ($redefined)
