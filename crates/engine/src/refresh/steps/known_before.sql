-- Every identity as the last snapshot has it.
SELECT id, name AS uid, attributes FROM prev_identities
