-- Accounts as elements of identity documents.
SELECT * FROM document_accounts WHERE identity_id IS NOT NULL
