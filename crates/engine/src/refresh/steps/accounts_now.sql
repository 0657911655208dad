-- The accounts that are made again: those that changed or whose source is defined otherwise.
SELECT n.* FROM accounts_merged n
LEFT SEMI JOIN (SELECT id FROM account_changes WHERE changed OR source_id IN ($redefined)) c ON c.id = n.id
