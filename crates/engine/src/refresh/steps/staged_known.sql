-- The records with the ids of their accounts.
SELECT coalesce(m.id, CASE WHEN c.id IS NULL THEN n.id END, CASE WHEN n.taken IS NULL THEN s.first_id
    ELSE stable_id('account', s.source_id, s.native_identity, CAST(refresh_time() AS VARCHAR)) END) AS id,
  s.source_id, s.native_identity, s.line, {s: accounts.content}, s.digest
FROM staged_single s JOIN by_name n ON n.first_id = s.first_id
LEFT JOIN moved_accounts m ON m.first_id = s.first_id
LEFT JOIN (SELECT id FROM moved_accounts) c ON c.id = n.id
