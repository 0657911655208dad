-- The number of rights that any account has, and the number of rights of all identities together: each right of each
-- identity once. Rights of an account without an owner belong to no identity.
SELECT count(*) AS rights, coalesce(sum(owners), 0) AS of_identities FROM (
  SELECT source_id, attribute, value, count(identity_id) AS owners FROM (
    SELECT DISTINCT identity_id, source_id, e['name'] AS attribute, e['value'] AS value FROM (
      SELECT a.identity_id, a.source_id, unnest(attribute_entries(attributes_kept(a.attributes, s.entitlements))) AS e
      FROM written_accounts a JOIN document_sources s ON s.source_id = a.source_id
      WHERE a.dead_since IS NULL))
  GROUP BY source_id, attribute, value)
