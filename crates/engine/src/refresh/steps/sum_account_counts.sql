-- How many accounts are counted at identities.
SELECT coalesce(sum(account_count), 0) AS accounts FROM written_identities
