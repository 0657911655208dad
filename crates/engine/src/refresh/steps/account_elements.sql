-- Accounts as elements of the documents of their identities.
SELECT * FROM document_accounts WHERE identity_id IS NOT NULL
