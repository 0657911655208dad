-- The identities of the last snapshot, with new counts of accounts.
SELECT {p: identities.all but account_count}, coalesce(c.n, 0) AS account_count
FROM prev_identities p LEFT JOIN account_counts c ON c.identity_id = p.id
