-- The number of identities that are new.
SELECT count(DISTINCT o.identity_id) AS n FROM owned o
LEFT ANTI JOIN (SELECT id FROM prev_identities) p ON p.id = o.identity_id
