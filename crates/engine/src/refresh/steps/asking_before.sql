-- The accounts for which rules search an identity: live ones of the last snapshot.
SELECT id AS account_id, source_id, attributes FROM prev_accounts WHERE dead_since IS NULL
