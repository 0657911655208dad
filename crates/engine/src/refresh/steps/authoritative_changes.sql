-- How many authoritative accounts changed.
SELECT count(*) AS n FROM account_changes WHERE authoritative AND changed
