-- The documents of a type: those that sources give, and those that are made here and are of something else.
SELECT * FROM given_{type}
UNION ALL
SELECT m.* FROM made_{type} m LEFT ANTI JOIN (SELECT id FROM given_{type}) g ON g.id = m.id
