-- Accounts to recompute because their identity gained or lost its authoritative account, or because a rule matches them
-- to an identity that changed.
SELECT DISTINCT id FROM (
  SELECT p.id FROM prev_accounts p JOIN moved m ON m.id = p.identity_id WHERE m.changed_hands
  UNION ALL SELECT account_id AS id FROM pairs)
