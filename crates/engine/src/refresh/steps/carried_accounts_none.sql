-- No account remains as it was without being looked at.
SELECT * FROM prev_accounts WHERE false
