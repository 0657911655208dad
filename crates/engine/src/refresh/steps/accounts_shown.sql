-- Live accounts with the properties of their sources that documents contain.
SELECT a.id, a.identity_id, a.name, a.native_identity, a.source_id, a.source_name, s.source_type, a.disabled, a.locked,
  a.privileged, a.manually_correlated, a.attributes, s.entitlements, a.created
FROM accounts_documented a LEFT JOIN document_sources s ON s.source_id = a.source_id
WHERE a.dead_since IS NULL
