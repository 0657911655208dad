-- Undecided accounts that now belong to an identity: the only one that a rule finds, or a new one made from the
-- account.
SELECT m.account_id,
  CASE WHEN d.n = 1 THEN d.identity_id ELSE stable_id('identity', m.source_id, m.native_identity) END AS identity_id,
  d.rule AS matched_rule
FROM matchable m
LEFT JOIN decisions d ON d.account_id = m.account_id
LEFT JOIN waiting w ON w.account_id = m.account_id
WHERE d.n = 1 OR (d.n IS NULL AND w.account_id IS NULL)
