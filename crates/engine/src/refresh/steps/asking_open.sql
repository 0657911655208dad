-- The accounts for which the rules look for an identity: authoritative ones that stay open.
SELECT account_id, source_id, attributes FROM open WHERE uid IS NOT NULL
