-- The rights in those documents. Several accounts of an identity can have the same right: whoever reads them leaves
-- repeated ones out, which needs no set of all rights.
SELECT identity_id, source_id, source_name, source_type, e['name'] AS attribute, e['value'] AS value
FROM (SELECT identity_id, source_id, source_name, source_type, unnest(attribute_entries(rights)) AS e
      FROM document_accounts)
