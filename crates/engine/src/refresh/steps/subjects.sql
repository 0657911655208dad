-- Accounts that errors can refer to: those that decide their identity, and those that are too incomplete to become one.
SELECT m.account_id, m.source_id, m.rank, m.native_identity, m.uid, m.attributes, m.failures, m.unmapped,
  m.manager, m.manager_attribute, m.manager_means, l.identity_id,
  attribute_first(m.attributes, 'displayName') AS display_name, f.profile, l.situation, l.candidates
FROM mapped m
JOIN (
  SELECT k.account_id, b.identity_id, k.situation, k.candidates
  FROM links k LEFT JOIN best b ON b.account_id = k.account_id
  WHERE b.identity_id IS NOT NULL OR k.identity_id IS NULL) l
  ON l.account_id = m.account_id
JOIN profiles f ON f.source_id = m.source_id
