-- Accounts to recompute because a manual link is or was on them, and all accounts of authoritative sources.
SELECT DISTINCT id FROM (
  SELECT id FROM prev_accounts WHERE manual_link IS NOT NULL OR linked_as IS NOT NULL
  UNION ALL
  SELECT p.id FROM prev_accounts p
  JOIN manual_links l ON l.source_id = p.source_id AND l.native_identity = p.native_identity
  UNION ALL
  SELECT p.id FROM prev_accounts p JOIN source_flags f ON f.source_id = p.source_id WHERE f.authoritative)
