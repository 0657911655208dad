-- The errors of the last snapshot.
SELECT * FROM prev_identity_errors
