-- Records whose uuid is not that of the account with their native identity, with the account that has this uuid.
SELECT u.first_id, coalesce(p.live, p.dead) AS id
FROM (SELECT first_id, source_id, uuid FROM by_name
      WHERE uuid IS NOT NULL AND uuid IS DISTINCT FROM known_uuid) u
JOIN (SELECT source_id, uuid FROM uuids_read GROUP BY source_id, uuid HAVING count(*) = 1) o
  ON o.source_id = u.source_id AND o.uuid = u.uuid
JOIN (SELECT source_id, uuid, min(CASE WHEN dead_since IS NULL THEN id END) AS live,
        min(CASE WHEN dead_since IS NOT NULL THEN id END) AS dead
      FROM prev_read WHERE trim(uuid) <> '' GROUP BY source_id, uuid
      HAVING sum(CASE WHEN dead_since IS NULL THEN 1 ELSE 0 END) = 1
        OR (sum(CASE WHEN dead_since IS NULL THEN 1 ELSE 0 END) = 0 AND count(*) = 1)) p
  ON p.source_id = u.source_id AND p.uuid = u.uuid
