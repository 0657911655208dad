-- The identity documents to check: those that are made here.
SELECT "accountCount" AS account_count, "accessCount" AS access_count FROM made_identities
