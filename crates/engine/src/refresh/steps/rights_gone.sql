-- Rights that a touched account had and no touched account of its source has. Each right is compared once: many accounts
-- have the same one.
SELECT stable_id('entitlement', b.source_id, b.attribute, b.value) AS id, b.source_id, b.attribute, b.value
FROM (
  SELECT DISTINCT source_id, e['name'] AS attribute, e['value'] AS value
  FROM (
    SELECT p.source_id, unnest(attribute_entries(attributes_kept(p.attributes, s.entitlements))) AS e
    FROM prev_of_now p
    LEFT SEMI JOIN accounts_touched t ON t.id = p.id
    JOIN document_sources s ON s.source_id = p.source_id
    WHERE p.dead_since IS NULL)) b
LEFT ANTI JOIN (SELECT DISTINCT source_id, attribute, value FROM entitlement_rights) n
  ON n.source_id = b.source_id AND n.attribute = b.attribute AND n.value = b.value
