-- The identities that can differ from the last snapshot: those that were counted again.
SELECT {identities.all} FROM identities_recounted
