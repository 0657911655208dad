-- Identities of a profile whose record names its manager by such a text.
SELECT p.id
FROM (SELECT id, lower(attribute_first(attributes, $manager)) AS name FROM prev_identities
      WHERE authoritative_source_id = $source) p
LEFT SEMI JOIN names_moved m ON m.name = p.name
