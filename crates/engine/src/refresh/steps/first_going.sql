-- The first identities that would be lost, or that would become orphans.
SELECT id FROM identities_going WHERE CASE WHEN $orphans THEN orphan ELSE lost END ORDER BY id LIMIT $shown
