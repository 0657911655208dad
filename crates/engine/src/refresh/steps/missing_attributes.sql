-- Accounts of a profile that lack a required identity attribute.
SELECT source_id, native_identity, identity_id, uid, display_name, profile, $attribute AS attribute
FROM subjects WHERE rank = $rank AND attribute_first(attributes, $attribute) IS NULL
