-- Identities whose attributes changed, with their new and their old attributes.
SELECT id, now AS attributes FROM moved WHERE differs
UNION ALL
SELECT id, before AS attributes FROM moved WHERE differs AND before IS NOT NULL
