-- Pairs of an account and an identity that a rule of a source matches.
SELECT $order AS rule_order, $label AS rule, account_id, identity_id
FROM (
  SELECT DISTINCT a.id AS account_id, i.id AS identity_id
  FROM (
    SELECT id, CASE WHEN $ignore_case THEN lower(trim(raw)) ELSE trim(raw) END AS v
    FROM (SELECT account_id AS id, unnest(attribute(attributes, $account_attribute)) AS raw
          FROM (SELECT * FROM asking WHERE source_id = $source))
    WHERE trim(raw) <> '') a
  JOIN (SELECT id, v FROM asked_values WHERE attribute = $identity_attribute AND folded = $ignore_case) i
    ON a.v = i.v)
