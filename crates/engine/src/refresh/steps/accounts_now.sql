-- The accounts to recompute: those that changed or whose source's definition changed.
SELECT n.* FROM accounts_merged n
LEFT SEMI JOIN (SELECT id FROM account_changes WHERE changed OR source_id IN ($redefined)) c ON c.id = n.id
