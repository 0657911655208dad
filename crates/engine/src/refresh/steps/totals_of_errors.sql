-- The total of identity errors.
SELECT count(*) AS identity_errors FROM {version}_identity_errors
