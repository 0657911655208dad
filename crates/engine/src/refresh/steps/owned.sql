-- Authoritative accounts with the identity that each belongs to.
SELECT account_id, identity_id, matched_rule FROM owned UNION ALL SELECT * FROM decided
