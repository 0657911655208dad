-- The accounts for which rules search an identity: those of the other sources.
SELECT account_id, source_id, attributes FROM other
