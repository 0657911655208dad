-- Records that were refused when they were read, and refused records of sources that were not read again.
SELECT source_id, source_name, line, native_identity, reason FROM rejected_read
UNION ALL SELECT * FROM rejected_identities
UNION ALL SELECT * FROM rejected_accessprofiles
UNION ALL SELECT * FROM rejected_accountactivities
UNION ALL SELECT * FROM rejected_entitlements
UNION ALL SELECT * FROM rejected_events
UNION ALL SELECT * FROM rejected_roles
UNION ALL
SELECT source_id, source_name, CAST(line AS BIGINT UNSIGNED), native_identity, reason
FROM prev_rejected_records WHERE source_id IN ($carried)
