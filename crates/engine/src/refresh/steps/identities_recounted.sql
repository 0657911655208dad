-- Identities with another number of accounts than in the last snapshot.
SELECT {p: identities.all but account_count}, p.account_count + d.n AS account_count
FROM prev_identities p JOIN account_deltas d ON d.identity_id = p.id
