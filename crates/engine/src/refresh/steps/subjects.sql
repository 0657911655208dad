-- Accounts that errors can refer to: those that decide their identity, and those that are too incomplete to become one.
SELECT m.account_id, m.source_id, m.rank, m.native_identity, m.uid, m.attributes, m.failures, m.unmapped,
  m.manager, m.manager_attribute, m.manager_means, b.identity_id,
  attribute_first(m.attributes, 'displayName') AS display_name, f.profile, l.situation, l.candidates
FROM mapped m
LEFT JOIN best b ON b.account_id = m.account_id
JOIN links l ON l.account_id = m.account_id
JOIN profiles f ON f.source_id = m.source_id
WHERE b.identity_id IS NOT NULL OR l.identity_id IS NULL
