-- Live authoritative accounts with the identity attributes that their profile maps.
SELECT account_id, source_id, rank, native_identity, prev_identity, prev_rule, account_attributes, protected,
  attribute_first(get_field(m, 'attributes'), $manager) AS manager, $manager AS manager_attribute,
  $manager_kind AS manager_kind, $manager_means AS manager_means,
  get_field(m, 'attributes') AS attributes, get_field(m, 'failures') AS failures, get_field(m, 'status') AS status,
  get_field(m, 'unmapped') AS unmapped, get_field(m, 'place') AS place, get_field(m, 'newest') AS newest,
  get_field(m, 'starts') AS starts, get_field(m, 'ends') AS ends, get_field(m, 'left_on') AS left_on,
  get_field(m, 'unreadable') AS unreadable,
  attribute_first(get_field(m, 'attributes'), 'uid') AS uid
FROM (
  SELECT id AS account_id, source_id, $rank AS rank, native_identity, prev_identity, prev_rule,
    attributes AS account_attributes, native_identity IN ($protected) AS protected,
    map_profile($source, attributes) AS m
  FROM accounts_now WHERE source_id = $source AND dead_since IS NULL)
