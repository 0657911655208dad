-- The documents of identities that are checked: all, for none are given where not everything is made again.
SELECT "accountCount" AS account_count, "accessCount" AS access_count FROM written_identity_documents
