-- How many linked accounts of each source would lose their identity.
SELECT p.source_id, count(*) AS lost
FROM prev_of_now p
JOIN accounts_next n ON n.id = p.id
JOIN source_flags f ON f.source_id = p.source_id
WHERE p.dead_since IS NULL AND p.identity_id IS NOT NULL AND n.dead_since IS NULL AND n.identity_id IS NULL
  AND NOT f.authoritative
GROUP BY p.source_id
