-- The number of identity documents, and of the accounts and rights in them.
SELECT count(*) AS documents, coalesce(sum(account_count), 0) AS accounts, coalesce(sum(access_count), 0) AS access
FROM checked_documents
