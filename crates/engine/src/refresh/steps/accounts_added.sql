-- The number of accounts that are new.
SELECT count(*) AS n FROM accounts_now WHERE change = 'created'
