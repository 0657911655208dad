-- Entitlements that are new, removed, or of a source whose definition changed. An entitlement is removed when no
-- account of its source has it.
SELECT n.id FROM entitlement_documents n
LEFT ANTI JOIN (SELECT id FROM prev_entitlement_documents) p ON p.id = n.id
UNION ALL
SELECT n.id FROM entitlement_documents n WHERE n."source"['id'] IN ($redefined)
UNION ALL
SELECT p.id FROM (SELECT id, "source"['id'] AS source_id FROM prev_entitlement_documents) p
LEFT SEMI JOIN sources_touched t ON t.id = p.source_id
LEFT ANTI JOIN (SELECT id FROM entitlement_documents) n ON n.id = p.id
