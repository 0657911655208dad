-- The number of live accounts without a situation, and of those that belong to an identity.
SELECT count(CASE WHEN situation IS NULL THEN 1 END) AS homeless, count(identity_id) AS linked
FROM written_accounts WHERE dead_since IS NULL
