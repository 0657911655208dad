-- The accounts to recompute, including the recalled ones.
SELECT * FROM accounts_now UNION ALL SELECT * FROM recalled
