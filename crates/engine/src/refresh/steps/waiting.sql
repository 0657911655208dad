-- Accounts that wait for another: by the first rule that matches them with each other.
SELECT p.account_id FROM partners p
JOIN (SELECT account_id, min(rule_order) AS rule_order FROM partners GROUP BY account_id) f
  ON f.account_id = p.account_id AND f.rule_order = p.rule_order
WHERE p.waits
