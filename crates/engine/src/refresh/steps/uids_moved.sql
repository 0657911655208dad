-- Identities whose uid changed, with both uids.
SELECT k.id, k.uid, p.name AS before
FROM known_affected k LEFT JOIN affected_identities p ON p.id = k.id
WHERE k.uid IS DISTINCT FROM p.name
