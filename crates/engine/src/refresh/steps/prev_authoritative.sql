-- Live accounts of the authoritative sources in the last snapshot.
SELECT id, source_id, native_identity, identity_id FROM prev_accounts
WHERE dead_since IS NULL AND source_id IN ($authoritative)
