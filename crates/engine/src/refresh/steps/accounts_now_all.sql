-- The accounts that are made again: all of them.
SELECT * FROM accounts_merged
