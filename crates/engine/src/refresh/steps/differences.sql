-- Records that differ from their accounts, and accounts that differ from their records: all but those that are equal. An
-- account is compared under the id that its record has if it was never renamed.
SELECT coalesce(s.source_id, p.source_id) AS source_id, s.first_id, p.id
FROM (SELECT first_id, source_id, native_identity, digest FROM staged_single
      WHERE NOT (source_id IN ($failed))) s
FULL JOIN (SELECT id, source_id, native_identity, digest FROM prev_read
           WHERE dead_since IS NULL AND held_since IS NULL AND NOT (source_id IN ($redefined))) p
  ON p.id = s.first_id AND p.digest = s.digest AND p.native_identity = s.native_identity
WHERE s.first_id IS NULL OR p.id IS NULL
