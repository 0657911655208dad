-- The recomputed accounts in the last snapshot.
SELECT p.* FROM prev_accounts p LEFT SEMI JOIN (SELECT id FROM accounts_now) n ON n.id = p.id
