-- Identities whose documents depend on a touched identity or account: a document has the identity's accounts, its
-- manager's name, and whether it is a manager.
SELECT DISTINCT id FROM (
  SELECT id FROM identities_touched
  UNION ALL SELECT identity_id FROM accounts_touched
  UNION ALL SELECT prev_identity FROM accounts_touched
  UNION ALL SELECT manager_id FROM identities_touched WHERE manager_id IS DISTINCT FROM prev_manager
  UNION ALL SELECT prev_manager FROM identities_touched WHERE manager_id IS DISTINCT FROM prev_manager
  UNION ALL SELECT n.id FROM identities_next n
    LEFT SEMI JOIN (SELECT id FROM identities_touched WHERE renamed) t ON t.id = n.manager_id)
WHERE id IS NOT NULL
