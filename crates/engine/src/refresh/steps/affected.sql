-- Identities to recompute: those, and those that depend on a name that one of them had or has.
SELECT id FROM affected_by_accounts
UNION
SELECT id FROM dependents
UNION
SELECT id FROM reports_of_moved
