-- The rights for which entitlement documents are made.
SELECT DISTINCT identity_id, source_id, source_name, source_type, e['name'] AS attribute, e['value'] AS value
FROM (SELECT identity_id, source_id, source_name, source_type, unnest(attribute_entries(rights)) AS e
      FROM source_accounts)
