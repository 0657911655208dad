-- The identities among which the rules look: all.
SELECT id, attributes FROM known
