-- No accounts: in a full refresh, none stays unchanged without being recomputed.
SELECT * FROM prev_accounts WHERE false
