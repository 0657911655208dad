-- Undecided accounts that no rule matches to an identity.
SELECT m.* FROM matchable m LEFT ANTI JOIN decisions d ON d.account_id = m.account_id
