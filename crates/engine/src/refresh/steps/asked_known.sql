-- The identities that rules search: all.
SELECT id, attributes FROM known
