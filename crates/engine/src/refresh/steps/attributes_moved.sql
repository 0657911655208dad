-- The number of identities whose values of an attribute changed.
SELECT count(*) AS n FROM moved
WHERE attribute_text(now, $identity_attribute) IS DISTINCT FROM attribute_text(before, $identity_attribute)
