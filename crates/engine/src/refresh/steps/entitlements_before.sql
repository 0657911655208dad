-- The entitlements that live accounts had in the last snapshot, for those whose content has changed.
SELECT p.id, p.entitlements, p.entitlements_since
FROM (SELECT b.id FROM (SELECT id, digest FROM prev_read WHERE dead_since IS NULL) b
      JOIN (SELECT id, digest FROM staged_one) s ON s.id = b.id WHERE s.digest <> b.digest) w
JOIN prev_read p ON p.id = w.id
