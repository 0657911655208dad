-- The identities among which the rules look: those that changed, as they were and as they are.
SELECT id, attributes FROM identities_moved
