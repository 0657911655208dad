-- The same, of errors.
SELECT count(*) AS identity_errors FROM {version}_identity_errors
