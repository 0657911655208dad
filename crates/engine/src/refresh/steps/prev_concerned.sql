-- Their ids: of accounts that differ, that are held, whose source has another definition, or that were missing and may
-- return.
SELECT id FROM differences WHERE id IS NOT NULL
UNION
SELECT id FROM prev_read WHERE dead_since IS NULL AND (held_since IS NOT NULL OR source_id IN ($redefined))
UNION
SELECT p.id FROM (SELECT id FROM prev_read WHERE dead_since IS NOT NULL) p
LEFT SEMI JOIN staged_single s ON s.first_id = p.id
UNION
SELECT p.id FROM (SELECT id, source_id, native_identity FROM prev_read WHERE dead_since IS NOT NULL) p
LEFT SEMI JOIN staged_single s ON s.source_id = p.source_id AND s.native_identity = p.native_identity
UNION
SELECT p.id FROM (SELECT id, source_id, uuid FROM prev_read WHERE dead_since IS NOT NULL AND trim(uuid) <> '') p
LEFT SEMI JOIN staged_single s ON s.source_id = p.source_id AND s.uuid = p.uuid
UNION
SELECT id FROM prev_read WHERE dead_since IS NOT NULL AND source_id IN ($redefined)
