-- The live accounts in the documents to recompute.
SELECT {accounts.all} FROM accounts_next
WHERE dead_since IS NULL AND identity_id IN (SELECT id FROM documents_touched)
UNION ALL
SELECT {p: accounts.all} FROM prev_accounts p
LEFT SEMI JOIN documents_touched t ON t.id = p.identity_id
LEFT ANTI JOIN (SELECT id FROM accounts_now) n ON n.id = p.id
WHERE p.dead_since IS NULL
