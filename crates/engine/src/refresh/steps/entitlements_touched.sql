-- Entitlements that are new, removed, or of a source whose definition changed. An entitlement is removed when no account
-- of its source has it.
SELECT n.id FROM entitlement_documents n
LEFT ANTI JOIN (SELECT id FROM prev_entitlement_documents) p ON p.id = n.id
UNION ALL
SELECT n.id FROM entitlement_documents n WHERE n."source"['id'] IN ($redefined)
UNION ALL
SELECT p.id FROM (SELECT id, "source"['id'] AS source_id FROM prev_entitlement_documents) p
LEFT ANTI JOIN (SELECT id FROM entitlement_documents) n ON n.id = p.id
WHERE p.source_id IN ($redefined)
UNION ALL
SELECT g.id FROM rights_gone g LEFT ANTI JOIN rights_left l ON l.id = g.id
WHERE NOT (g.source_id IN ($redefined))
