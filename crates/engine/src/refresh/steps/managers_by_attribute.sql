-- Identities by an attribute that managers are named by.
SELECT $manager_kind AS kind, attribute_first(attributes, $attribute) AS name, id FROM known
