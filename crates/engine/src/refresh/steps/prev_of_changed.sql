-- The identities that can differ from the last snapshot, as they are in it.
SELECT p.* FROM prev_identities p LEFT SEMI JOIN (SELECT id FROM identities_changed) c ON c.id = p.id
