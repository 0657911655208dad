-- The uuids of the records, as far as a record that differs has them.
SELECT s.source_id, s.uuid FROM staged_uuids s
LEFT SEMI JOIN (SELECT source_id, uuid FROM by_name WHERE uuid IS NOT NULL) n
  ON n.source_id = s.source_id AND n.uuid = s.uuid
