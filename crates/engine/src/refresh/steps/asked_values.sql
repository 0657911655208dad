-- The values of identities that rules compare, each attribute once, however many rules compare it.
SELECT $identity_attribute AS attribute, $ignore_case AS folded, id,
  CASE WHEN $ignore_case THEN lower(trim(raw)) ELSE trim(raw) END AS v
FROM (SELECT id, unnest(attribute(attributes, $identity_attribute)) AS raw FROM asked)
WHERE trim(raw) <> ''
