-- The managers to find: those whose text is new in a record, or is one that an identity gained or lost.
SELECT DISTINCT m.manager_kind AS kind, m.manager AS name
FROM mapped m JOIN best b ON b.account_id = m.account_id
LEFT JOIN affected_identities p ON p.id = b.identity_id
LEFT JOIN names_moved x ON x.name = lower(m.manager)
WHERE m.source_id = $source AND m.manager IS NOT NULL AND (
  p.id IS NULL OR (p.authoritative_source_id IS DISTINCT FROM m.source_id)
  OR (attribute_first(p.attributes, $manager) IS DISTINCT FROM m.manager) OR x.name IS NOT NULL)
