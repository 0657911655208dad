-- The rights of the touched accounts.
SELECT DISTINCT identity_id, source_id, source_name, source_type, e['name'] AS attribute, e['value'] AS value
FROM (
  SELECT a.identity_id, a.source_id, a.source_name, s.source_type,
    unnest(attribute_entries(attributes_kept(a.attributes, s.entitlements))) AS e
  FROM accounts_next a
  LEFT SEMI JOIN accounts_touched t ON t.id = a.id
  LEFT JOIN document_sources s ON s.source_id = a.source_id
  WHERE a.dead_since IS NULL)
