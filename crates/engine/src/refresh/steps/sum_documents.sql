-- How many documents of identities there are, and how many accounts and rights are in them.
SELECT count(*) AS documents, coalesce(sum(account_count), 0) AS accounts, coalesce(sum(access_count), 0) AS access
FROM checked_documents
