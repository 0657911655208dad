-- The accounts for which rules search an identity: authoritative ones that stay open.
SELECT account_id, source_id, attributes FROM open WHERE uid IS NOT NULL
