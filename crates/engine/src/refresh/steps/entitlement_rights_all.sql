-- The rights of which documents of entitlements are made: all.
SELECT * FROM document_rights
