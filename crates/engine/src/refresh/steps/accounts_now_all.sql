-- The accounts to recompute: all.
SELECT * FROM accounts_merged
