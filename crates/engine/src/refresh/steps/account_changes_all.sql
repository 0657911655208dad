-- The change of every account.
SELECT id, source_id, authoritative, change,
  change NOT IN ('unchanged', 'present', 'kept', 'dead') OR held_otherwise AS changed
FROM accounts_now
