-- Accounts of a profile that belong to no identity yet. The accounts are the right side of the join, which is not held.
SELECT m.account_id, m.source_id, m.native_identity, m.uid, m.account_attributes AS attributes,
  m.attributes AS mapped_attributes
FROM (SELECT account_id FROM owned) o
RIGHT ANTI JOIN (SELECT * FROM mapped WHERE rank = $rank) m ON o.account_id = m.account_id
