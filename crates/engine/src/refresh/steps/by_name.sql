-- Records with the account that has the same native identity. `taken` is the id that a new account would get, if
-- another account has this id.
SELECT s.first_id, s.source_id, s.native_identity, s.uuid, c.id AS taken,
  CASE WHEN c.native_identity = s.native_identity
            AND (c.dead_since IS NULL OR r.dead_since IS NOT NULL OR r.id IS NULL)
       THEN c.id ELSE r.id END AS id,
  CASE WHEN c.native_identity = s.native_identity
            AND (c.dead_since IS NULL OR r.dead_since IS NOT NULL OR r.id IS NULL)
       THEN c.uuid ELSE r.uuid END AS known_uuid
FROM (SELECT first_id, source_id, native_identity, CASE WHEN trim(uuid) <> '' THEN uuid END AS uuid
      FROM staged_single) s
LEFT JOIN (SELECT id, native_identity, uuid, dead_since FROM prev_read) c ON c.id = s.first_id
LEFT JOIN renamed r ON r.source_id = s.source_id AND r.native_identity = s.native_identity
