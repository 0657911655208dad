-- Every identity with its attributes in the last snapshot.
SELECT id, name AS uid, attributes FROM prev_identities
