-- What became of how many accounts of each source.
SELECT source_id, change, count(*) AS n FROM account_changes GROUP BY source_id, change
