-- Recomputed identities as they are in the last snapshot.
SELECT p.* FROM prev_identities p LEFT SEMI JOIN affected a ON a.id = p.id
