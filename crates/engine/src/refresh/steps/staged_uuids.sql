-- The uuid of each record that has one.
SELECT source_id, uuid FROM staged_single WHERE trim(uuid) <> ''
