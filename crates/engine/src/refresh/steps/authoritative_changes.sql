-- The number of authoritative accounts that changed.
SELECT count(*) AS n FROM account_changes WHERE authoritative AND changed
