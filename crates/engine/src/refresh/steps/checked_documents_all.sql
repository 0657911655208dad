-- The documents of identities that are checked: those that were made here.
SELECT "accountCount" AS account_count, "accessCount" AS access_count FROM made_identities
