-- Sources with touched accounts.
SELECT DISTINCT source_id AS id FROM accounts_touched
