-- The sum of the identities' counts of accounts.
SELECT coalesce(sum(account_count), 0) AS accounts FROM written_identities
