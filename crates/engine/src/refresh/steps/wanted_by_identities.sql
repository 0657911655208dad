-- Accounts to recompute because their identity gained or lost its authoritative account, or because a rule matches them
-- to an identity that changed.
SELECT p.id FROM (SELECT id, identity_id FROM prev_accounts) p
LEFT SEMI JOIN (SELECT id FROM moved WHERE changed_hands) m ON m.id = p.identity_id
UNION
SELECT account_id AS id FROM pairs_moved
