-- For each kind of comparison and text, the only identity that has the text.
SELECT kind, name, min(id) AS id
FROM (SELECT kind, name, id FROM managers_by_attribute UNION ALL SELECT kind, name, id FROM managers_by_account)
WHERE name IS NOT NULL GROUP BY kind, name HAVING count(*) = 1
