-- The accounts that remain as they were.
SELECT p.* FROM prev_accounts p LEFT ANTI JOIN (SELECT id FROM accounts_now) n ON n.id = p.id
