-- The documents of a type: those that are made here.
SELECT * FROM made_{type}
