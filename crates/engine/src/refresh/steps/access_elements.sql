-- Rights as elements of identity documents.
SELECT *, 'ENTITLEMENT' AS type, stable_id('entitlement', source_id, attribute, value) AS id
FROM document_rights WHERE identity_id IS NOT NULL
