-- Texts by which managers are found, and which an identity gained or lost, in lower case.
SELECT DISTINCT lower(name) AS name FROM (
  SELECT name FROM names_moved_by_attribute UNION ALL SELECT name FROM names_moved_by_account)
WHERE name IS NOT NULL
