-- The accounts that are made again, with those that were recalled.
SELECT * FROM accounts_now UNION ALL SELECT * FROM recalled
