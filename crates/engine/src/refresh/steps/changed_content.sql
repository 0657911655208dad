-- Accounts that were live in the last snapshot and whose content has changed.
SELECT b.id
FROM (SELECT id, digest FROM prev_read WHERE dead_since IS NULL) b
JOIN (SELECT id, digest FROM staged_one) s ON s.id = b.id WHERE s.digest <> b.digest
