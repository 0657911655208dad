-- The identities that rules search: those that changed, with their old and their new attributes.
SELECT id, attributes FROM identities_moved
