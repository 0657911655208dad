-- Identities with a recomputed authoritative account as they are in the last snapshot.
SELECT p.* FROM prev_identities p LEFT SEMI JOIN affected_by_accounts a ON a.id = p.id
