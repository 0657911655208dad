-- The number of rights in checked documents: each right of each identity once.
SELECT count(*) AS rights FROM (
  SELECT DISTINCT identity_id, source_id, e['name'] AS attribute, e['value'] AS value FROM (
    SELECT a.identity_id, a.source_id, unnest(attribute_entries(attributes_kept(a.attributes, s.entitlements))) AS e
    FROM checked_accounts a JOIN document_sources s ON s.source_id = a.source_id))
