-- Unmatched accounts that a rule would match to the identity that another of them would become, and whether they wait
-- for that one. An account seeks a value; the identity that it would become holds a value. Among accounts that do both,
-- the one with the lowest native identity is first, but after accounts that only hold the value. Accounts that only
-- seek it wait for all that hold it.
WITH sought AS (
  SELECT id, CASE WHEN $ignore_case THEN lower(trim(raw)) ELSE trim(raw) END AS v
  FROM (SELECT account_id AS id, unnest(attribute(attributes, $account_attribute)) AS raw FROM unmatched)
  WHERE trim(raw) <> ''),
held AS (
  SELECT id, CASE WHEN $ignore_case THEN lower(trim(raw)) ELSE trim(raw) END AS v
  FROM (SELECT account_id AS id, unnest(attribute(mapped_attributes, $identity_attribute)) AS raw FROM unmatched)
  WHERE trim(raw) <> ''),
roles AS (
  SELECT r.v, r.id, a.native_identity, bool_or(r.seeks) AS seeks, bool_or(r.holds) AS holds
  FROM (SELECT id, v, true AS seeks, false AS holds FROM sought
        UNION ALL SELECT id, v, false AS seeks, true AS holds FROM held) r
  JOIN unmatched a ON a.account_id = r.id
  GROUP BY r.v, r.id, a.native_identity)
SELECT r.id AS account_id, $order AS rule_order,
  bool_or(NOT r.holds OR t.only_held > 0 OR t.lowest <> r.native_identity) AS waits
FROM roles r
JOIN (SELECT v, sum(CASE WHEN holds THEN 1 ELSE 0 END) AS held,
        sum(CASE WHEN holds AND NOT seeks THEN 1 ELSE 0 END) AS only_held,
        min(CASE WHEN holds AND seeks THEN native_identity END) AS lowest
      FROM roles GROUP BY v) t ON t.v = r.v
WHERE r.seeks AND t.held > CASE WHEN r.holds THEN 1 ELSE 0 END
GROUP BY r.id
