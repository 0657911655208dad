-- By what is compared and the text that is compared, the only identity that has it.
SELECT kind, name, min(id) AS id
FROM (SELECT kind, name, id FROM managers_by_attribute UNION ALL SELECT kind, name, id FROM managers_by_account)
WHERE name IS NOT NULL GROUP BY kind, name HAVING count(*) = 1
