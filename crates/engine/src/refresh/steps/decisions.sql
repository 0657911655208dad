-- For each account that a rule matches, the result of the first such rule: `n` identities, and the lowest of their ids
-- in `identity_id`.
SELECT p.account_id, min(p.identity_id) AS identity_id, count(*) AS n, min(p.rule) AS rule,
  array_sort(array_agg(p.identity_id)) AS candidates
FROM pairs p
JOIN (SELECT account_id, min(rule_order) AS rule_order FROM pairs GROUP BY account_id) f
  ON f.account_id = p.account_id AND f.rule_order = p.rule_order
GROUP BY p.account_id
