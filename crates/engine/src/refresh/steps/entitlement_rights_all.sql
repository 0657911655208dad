-- The rights for which entitlement documents are made: all.
SELECT * FROM document_rights
