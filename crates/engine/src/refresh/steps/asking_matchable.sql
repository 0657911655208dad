-- The accounts for which the rules look for an identity: undecided ones of a profile.
SELECT account_id, source_id, attributes FROM matchable
