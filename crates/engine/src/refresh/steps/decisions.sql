-- For each account that a rule matches, the result of the first such rule: `n` identities, and the lowest of their ids
-- in `identity_id`. Only accounts with several identities have `candidates`: to collect lists for all accounts would take
-- longer than to match them.
WITH chosen AS (
  SELECT p.account_id, p.identity_id, p.rule FROM pairs p
  JOIN (SELECT account_id, min(rule_order) AS rule_order FROM pairs GROUP BY account_id) f
    ON f.account_id = p.account_id AND f.rule_order = p.rule_order),
matched AS (
  SELECT account_id, min(identity_id) AS identity_id, count(*) AS n, min(rule) AS rule FROM chosen GROUP BY account_id)
SELECT m.account_id, m.identity_id, m.n, m.rule, c.candidates
FROM matched m
LEFT JOIN (
  SELECT f.account_id, array_sort(array_agg(f.identity_id)) AS candidates
  FROM chosen f JOIN (SELECT account_id FROM matched WHERE n > 1) s ON s.account_id = f.account_id
  GROUP BY f.account_id) c ON c.account_id = m.account_id
