-- Refused records. Records with the same native identity and different content are refused too, because picking one
-- would depend on the order of records.
SELECT * FROM rejected_raw
UNION ALL
SELECT s.source_id, f.source_name, s.line, s.native_identity,
  concat('native identity is in ', CAST(r.n AS VARCHAR),
    ' records whose content differs: expected one record for each account') AS reason
FROM staged s
JOIN repeated r ON r.first_id = s.first_id
JOIN source_flags f ON f.source_id = s.source_id
WHERE NOT r.merge_rows AND r.differ
