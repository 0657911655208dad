-- Identities that have a uid which another identity gained or lost, and those whose manager has another uid.
SELECT p.id FROM prev_identities p
LEFT SEMI JOIN (SELECT uid FROM uids_moved UNION ALL SELECT before FROM uids_moved) u ON u.uid = p.name
UNION
SELECT p.id FROM prev_identities p LEFT SEMI JOIN uids_moved u ON u.id = p.manager_id
