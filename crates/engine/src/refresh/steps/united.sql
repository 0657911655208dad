-- Several records of one account, merged into one if the source says so.
SELECT s.first_id, min(s.source_id) AS source_id, min(s.native_identity) AS native_identity, min(s.line) AS line,
  min(s.name) AS name, min(s.display_name) AS display_name, min(s.uuid) AS uuid,
  bool_or(s.disabled) AS disabled, bool_or(s.locked) AS locked, bool_or(s.system) AS system,
  bool_or(s.privileged) AS privileged, merge_attributes(array_agg(s.attributes)) AS attributes,
  merge_texts(array_agg(s.entitlements)) AS entitlements
FROM staged s JOIN repeated r ON r.first_id = s.first_id
WHERE r.merge_rows GROUP BY s.first_id
