-- The number of errors of each source.
SELECT source_id, count(*) AS n FROM written_identity_errors GROUP BY source_id
