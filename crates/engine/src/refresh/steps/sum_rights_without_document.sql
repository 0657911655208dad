-- The number of rights of touched accounts, as they were written, that have no document of an entitlement.
SELECT count(*) AS n FROM (
  SELECT DISTINCT stable_id('entitlement', source_id, e['name'], e['value']) AS id FROM (
    SELECT a.source_id, unnest(attribute_entries(attributes_kept(a.attributes, s.entitlements))) AS e
    FROM (SELECT * FROM written_accounts WHERE dead_since IS NULL) a
    LEFT SEMI JOIN accounts_touched t ON t.id = a.id
    JOIN document_sources s ON s.source_id = a.source_id)) r
LEFT ANTI JOIN (SELECT id FROM written_entitlement_documents) d ON d.id = r.id
