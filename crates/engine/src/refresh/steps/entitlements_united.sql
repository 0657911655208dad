-- The entitlement documents: those that sources provide, and those that are made here for other entitlements. The ids
-- of provided documents differ from ours: two documents with the same source, attribute and value are of the same
-- entitlement.
SELECT * FROM given_entitlements
UNION ALL
SELECT m.* FROM made_entitlements m
LEFT ANTI JOIN (SELECT id FROM given_entitlements) g ON g.id = m.id
LEFT ANTI JOIN (SELECT "source"['id'] AS known_by, attribute, value FROM given_entitlements) by_id
  ON by_id.known_by = m."source"['id'] AND by_id.attribute = m.attribute AND by_id.value = m.value
LEFT ANTI JOIN (SELECT "source"['name'] AS known_by, attribute, value FROM given_entitlements) by_name
  ON by_name.known_by = m."source"['name'] AND by_name.attribute = m.attribute AND by_name.value = m.value
