-- How many ids a table has.
SELECT count(DISTINCT id) AS ids FROM written_{table}
