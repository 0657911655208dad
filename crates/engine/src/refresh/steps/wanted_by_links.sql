-- Accounts to recompute because a manual link is or was on them: one that is new, was removed, or waits for its
-- identity.
SELECT DISTINCT id FROM (
  SELECT id FROM prev_accounts WHERE manual_link IS NOT NULL OR linked_as IS NOT NULL
  UNION ALL
  SELECT p.id FROM prev_accounts p
  JOIN manual_links l ON l.source_id = p.source_id AND l.native_identity = p.native_identity)
