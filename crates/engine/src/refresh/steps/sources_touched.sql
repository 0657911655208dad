-- Sources with accounts that came out different.
SELECT DISTINCT source_id AS id FROM accounts_touched
