-- Entitlements that are new, gone, or of a source that is defined otherwise. One is gone when nobody on its source has it
-- any more.
SELECT n.id FROM entitlement_documents n
LEFT ANTI JOIN (SELECT id FROM prev_entitlement_documents) p ON p.id = n.id
UNION ALL
SELECT n.id FROM entitlement_documents n WHERE n."source"['id'] IN ($redefined)
UNION ALL
SELECT p.id FROM (SELECT id, "source"['id'] AS source_id FROM prev_entitlement_documents) p
LEFT SEMI JOIN sources_touched t ON t.id = p.source_id
LEFT ANTI JOIN (SELECT id FROM entitlement_documents) n ON n.id = p.id
