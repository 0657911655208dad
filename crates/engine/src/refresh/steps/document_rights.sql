-- The rights in those documents: each right of an identity once.
SELECT DISTINCT identity_id, source_id, source_name, source_type, e['name'] AS attribute, e['value'] AS value
FROM (SELECT identity_id, source_id, source_name, source_type, unnest(attribute_entries(rights)) AS e
      FROM document_accounts)
