-- The identities that can differ from the last snapshot: those that were recomputed, and those that were counted again.
SELECT {identities.all} FROM identities_recomputed
UNION ALL
SELECT {r: identities.all} FROM identities_recounted r
LEFT ANTI JOIN (SELECT id FROM identities_recomputed) n ON n.id = r.id
