-- The number of errors whose identity does not exist.
SELECT count(*) AS n FROM written_identity_errors e
LEFT ANTI JOIN (SELECT id FROM written_identities) i ON i.id = e.identity_id
WHERE e.identity_id IS NOT NULL
