-- The total of identities.
SELECT count(CASE WHEN NOT correlated AND NOT protected THEN 1 END) AS orphan_identities FROM {version}_identities
