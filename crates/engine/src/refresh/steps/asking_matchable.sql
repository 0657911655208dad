-- The accounts for which rules search an identity: undecided ones of a profile.
SELECT account_id, source_id, attributes FROM matchable
