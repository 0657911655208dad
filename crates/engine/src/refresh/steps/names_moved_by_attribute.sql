-- Texts by which managers are found, and which an identity gained or lost.
SELECT now AS name FROM (
  SELECT attribute_first(now, $attribute) AS now, attribute_first(before, $attribute) AS before FROM moved)
WHERE now IS DISTINCT FROM before
UNION ALL
SELECT before AS name FROM (
  SELECT attribute_first(now, $attribute) AS now, attribute_first(before, $attribute) AS before FROM moved)
WHERE now IS DISTINCT FROM before
