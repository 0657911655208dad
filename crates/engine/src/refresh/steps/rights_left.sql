-- Lost rights that another account of the source still has. The rights of touched accounts were compared before; an
-- account that was recomputed and did not change has the rights that it had.
SELECT DISTINCT g.id
FROM (
  SELECT source_id, e['name'] AS attribute, e['value'] AS value
  FROM (
    SELECT p.source_id, unnest(attribute_entries(attributes_kept(p.attributes, s.entitlements))) AS e
    FROM (SELECT id, source_id, attributes FROM prev_accounts
          WHERE dead_since IS NULL AND source_id IN ($sources)) p
    LEFT ANTI JOIN (SELECT id FROM accounts_touched) t ON t.id = p.id
    JOIN document_sources s ON s.source_id = p.source_id)) r
JOIN rights_gone g ON g.source_id = r.source_id AND g.attribute = r.attribute AND g.value = r.value
