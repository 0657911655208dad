-- Accounts of a profile that belong to no identity yet.
SELECT account_id, source_id, native_identity, uid, account_attributes AS attributes, attributes AS mapped_attributes
FROM mapped m
WHERE rank = $rank AND NOT EXISTS (SELECT 1 FROM owned o WHERE o.account_id = m.account_id)
