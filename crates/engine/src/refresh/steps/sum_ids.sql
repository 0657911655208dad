-- The number of ids in a table.
SELECT count(DISTINCT id) AS ids FROM written_{table}
