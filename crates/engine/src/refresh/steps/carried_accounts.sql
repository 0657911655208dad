-- The accounts that stay unchanged.
SELECT p.* FROM prev_accounts p LEFT ANTI JOIN (SELECT id FROM accounts_now) n ON n.id = p.id
