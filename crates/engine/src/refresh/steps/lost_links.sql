-- The number of linked accounts of each source, and how many of them would lose their identity.
SELECT p.source_id, count(*) AS linked,
  sum(CASE WHEN n.dead_since IS NULL AND n.identity_id IS NULL AND n.id IS NOT NULL THEN 1 ELSE 0 END) AS lost
FROM (SELECT id, source_id FROM prev_accounts WHERE dead_since IS NULL AND identity_id IS NOT NULL) p
JOIN source_flags f ON f.source_id = p.source_id
LEFT JOIN (SELECT id, dead_since, identity_id FROM accounts_next) n ON n.id = p.id
WHERE NOT f.authoritative GROUP BY p.source_id
