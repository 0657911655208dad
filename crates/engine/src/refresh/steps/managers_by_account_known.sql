-- Identities by the native identities of their accounts of a profile, which name managers: unchanged, and in lower
-- case. Accounts that are not recomputed are as in the last snapshot.
WITH accounts_of_profile AS (
  SELECT m.native_identity, o.identity_id FROM mapped m
  JOIN (SELECT account_id, identity_id FROM owned) o ON o.account_id = m.account_id WHERE m.rank = $rank
  UNION ALL
  SELECT p.native_identity, p.identity_id FROM prev_authoritative p
  LEFT ANTI JOIN (SELECT id FROM accounts_now) n ON n.id = p.id
  WHERE p.source_id = $source AND p.identity_id IS NOT NULL)
SELECT $manager_kind AS kind, native_identity AS name, identity_id AS id FROM accounts_of_profile
UNION ALL
SELECT concat('folded ', $manager_kind) AS kind, lower(native_identity) AS name, identity_id AS id
FROM accounts_of_profile
