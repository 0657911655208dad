-- The ids of the accounts of records, where they are not those of new accounts. There are few of them.
SELECT first_id, id FROM (
  SELECT n.first_id, coalesce(m.id, CASE WHEN c.id IS NULL THEN n.id END, CASE WHEN n.taken IS NULL THEN n.first_id
      ELSE stable_id('account', n.source_id, n.native_identity, CAST(refresh_time() AS VARCHAR)) END) AS id
  FROM by_name n
  LEFT JOIN moved_accounts m ON m.first_id = n.first_id
  LEFT JOIN (SELECT id FROM moved_accounts) c ON c.id = n.id)
WHERE id <> first_id
