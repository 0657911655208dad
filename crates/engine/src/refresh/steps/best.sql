-- The account that decides each identity: of the highest-priority profile, then the one that the profile prefers, then
-- the lowest native identity.
SELECT identity_id, account_id FROM (
  SELECT o.identity_id, o.account_id,
    row_number() OVER (PARTITION BY o.identity_id
      ORDER BY m.rank, m.place, m.newest DESC NULLS LAST, m.native_identity, m.account_id) AS k
  FROM owned o
  JOIN (SELECT account_id, rank, place, newest, native_identity FROM mapped) m ON m.account_id = o.account_id)
WHERE k = 1
