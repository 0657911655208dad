-- The documents of entitlements: those that sources give, and those that are made here and are of something else.
-- Entitlements have other ids where they come from: the same value of the same source's attribute is the same one.
SELECT * FROM given_entitlements
UNION ALL
SELECT m.* FROM made_entitlements m
LEFT ANTI JOIN (SELECT id FROM given_entitlements) g ON g.id = m.id
LEFT ANTI JOIN (SELECT "source"['id'] AS known_by, attribute, value FROM given_entitlements) by_id
  ON by_id.known_by = m."source"['id'] AND by_id.attribute = m.attribute AND by_id.value = m.value
LEFT ANTI JOIN (SELECT "source"['name'] AS known_by, attribute, value FROM given_entitlements) by_name
  ON by_name.known_by = m."source"['name'] AND by_name.attribute = m.attribute AND by_name.value = m.value
