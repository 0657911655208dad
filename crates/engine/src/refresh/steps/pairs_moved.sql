-- Accounts of a source that a rule matches to an identity whose attributes changed, with its old or its new attributes.
SELECT DISTINCT a.id AS account_id
FROM (
  SELECT DISTINCT CASE WHEN $ignore_case THEN lower(trim(raw)) ELSE trim(raw) END AS v
  FROM (SELECT unnest(attribute(attributes, $identity_attribute)) AS raw FROM identities_moved)
  WHERE trim(raw) <> '') i
JOIN (
  SELECT id, CASE WHEN $ignore_case THEN lower(trim(raw)) ELSE trim(raw) END AS v
  FROM (SELECT id, unnest(attribute(attributes, $account_attribute)) AS raw
        FROM (SELECT id, attributes FROM prev_accounts WHERE source_id = $source AND dead_since IS NULL))
  WHERE trim(raw) <> '') a
  ON a.v = i.v
