-- The change of every account of the sources that were read.
SELECT id, source_id, authoritative, change,
  change NOT IN ('unchanged', 'present', 'kept', 'dead') OR held_otherwise AS changed
FROM accounts_merged
