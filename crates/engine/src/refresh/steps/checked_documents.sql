-- The identity documents to check: all. In an incremental refresh, sources provide none.
SELECT "accountCount" AS account_count, "accessCount" AS access_count FROM written_identity_documents
