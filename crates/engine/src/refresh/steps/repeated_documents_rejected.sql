-- Documents with such an id: nothing tells which of several is right.
SELECT d.source_id, s.source_name, d.line, d.id AS native_identity,
  concat('the id is in ', CAST(r.n AS VARCHAR), ' documents of {type}: expected one') AS reason
FROM read_{type} d
JOIN repeated_{type} r ON r.id = d.id
JOIN staged_names s ON s.source_id = d.source_id
