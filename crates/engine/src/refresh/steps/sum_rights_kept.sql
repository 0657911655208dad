-- The number of rights that lost their document although an account, as it was written, has them.
SELECT count(*) AS n FROM (
  SELECT source_id, e['name'] AS attribute, e['value'] AS value FROM (
    SELECT a.source_id, unnest(attribute_entries(attributes_kept(a.attributes, s.entitlements))) AS e
    FROM (SELECT source_id, attributes FROM written_accounts
          WHERE dead_since IS NULL AND source_id IN ($sources)) a
    JOIN document_sources s ON s.source_id = a.source_id)) r
JOIN (SELECT g.source_id, g.attribute, g.value FROM rights_gone g
      LEFT ANTI JOIN (SELECT id FROM written_entitlement_documents) d ON d.id = g.id) t
  ON t.source_id = r.source_id AND t.attribute = r.attribute AND t.value = r.value
