-- The errors, each with the time when it was first found.
SELECT f.*, coalesce(p.detected, refresh_time()) AS detected
FROM errors_found f LEFT JOIN (SELECT id, detected FROM prev_identity_errors) p ON p.id = f.id
