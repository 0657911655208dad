-- The accounts for which the rules look for an identity: those of the other sources.
SELECT account_id, source_id, attributes FROM other
