-- The errors of the recomputed identities and of records without an identity, each with the time when it was first found,
-- and the other errors as in the last snapshot.
SELECT f.*, coalesce(p.detected, refresh_time()) AS detected
FROM errors_found f LEFT JOIN (SELECT id, detected FROM prev_identity_errors) p ON p.id = f.id
UNION ALL
SELECT {p: identity_errors.all} FROM prev_identity_errors p
LEFT ANTI JOIN affected a ON a.id = p.identity_id
WHERE p.identity_id IS NOT NULL
