-- For each kind of comparison and text that is asked for, the only identity that has the text.
SELECT kind, name, min(id) AS id
FROM (SELECT kind, name, id FROM managers_by_attribute UNION ALL SELECT kind, name, id FROM managers_by_account) k
LEFT SEMI JOIN (
    SELECT kind AS of_kind, name AS asked FROM managers_asked
    UNION ALL
    SELECT concat('folded ', kind) AS of_kind, lower(name) AS asked FROM managers_asked) a
  ON a.of_kind = k.kind AND a.asked = k.name
GROUP BY kind, name HAVING count(*) = 1
UNION ALL
SELECT kind, name, id FROM managers_kept
