-- Accounts to be made again because their identity changed hands, or a rule matches them to an identity that changed.
SELECT DISTINCT id FROM (
  SELECT p.id FROM prev_accounts p JOIN moved m ON m.id = p.identity_id WHERE m.changed_hands
  UNION ALL SELECT account_id AS id FROM pairs)
