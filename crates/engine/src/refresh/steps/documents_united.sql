-- The documents of a type: those that sources provide, and those that are made here for other objects.
SELECT * FROM given_{type}
UNION ALL
SELECT m.* FROM made_{type} m LEFT ANTI JOIN (SELECT id FROM given_{type}) g ON g.id = m.id
