-- The number of accounts of each source, by change.
SELECT source_id, change, count(*) AS n FROM account_changes GROUP BY source_id, change
