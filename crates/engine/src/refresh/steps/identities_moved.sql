-- Identities whose attributes changed, as they are and as they were.
SELECT id, now AS attributes FROM moved WHERE differs
UNION ALL
SELECT id, before AS attributes FROM moved WHERE differs AND before IS NOT NULL
