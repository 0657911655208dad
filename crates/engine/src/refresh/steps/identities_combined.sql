-- Every identity: those that can differ from the last snapshot, and the others as in it.
SELECT {identities.all} FROM identities_changed
UNION ALL
SELECT {p: identities.all} FROM prev_identities p
LEFT ANTI JOIN (SELECT id FROM identities_changed) c ON c.id = p.id
