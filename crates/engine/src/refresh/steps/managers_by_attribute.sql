-- Identities by an attribute that names managers.
SELECT $manager_kind AS kind, attribute_first(attributes, $attribute) AS name, id FROM known
