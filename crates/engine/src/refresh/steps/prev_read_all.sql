-- Every account of the last snapshot: in a full refresh, all sources are read.
SELECT * FROM prev_accounts
