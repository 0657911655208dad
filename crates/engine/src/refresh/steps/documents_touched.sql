-- Identities whose documents depend on a touched identity or account.
SELECT DISTINCT id FROM (
  SELECT id FROM identities_touched
  UNION ALL SELECT identity_id FROM accounts_touched
  UNION ALL SELECT prev_identity FROM accounts_touched
  UNION ALL SELECT manager_id FROM identities_touched
  UNION ALL SELECT prev_manager FROM identities_touched
  UNION ALL SELECT n.id FROM identities_next n JOIN identities_touched t ON t.id = n.manager_id)
WHERE id IS NOT NULL
