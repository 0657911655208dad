-- The accounts in documents, with their rights by attribute.
SELECT id, identity_id, name, native_identity, source_id, source_name, source_type, disabled, locked, privileged,
  manually_correlated, attributes, attributes_kept(attributes, entitlements) AS rights, created
FROM accounts_shown
