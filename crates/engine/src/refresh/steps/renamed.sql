-- Accounts whose native identity is not their first one. If several share one, the live account.
SELECT source_id, native_identity, id, uuid, dead_since FROM (
  SELECT source_id, native_identity, id, uuid, dead_since, row_number() OVER (
    PARTITION BY source_id, native_identity ORDER BY dead_since DESC NULLS FIRST, id) AS k
  FROM prev_read WHERE id <> stable_id('account', source_id, native_identity))
WHERE k = 1
