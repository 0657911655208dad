-- The accounts for which rules search an identity: those of the other sources.
SELECT id AS account_id, source_id, attributes FROM accounts_now WHERE dead_since IS NULL AND NOT authoritative
