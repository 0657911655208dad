-- The recomputed accounts, with their owners. Links are joined first, so that wide rows are joined once.
SELECT a.id, a.source_id, a.source_name, a.native_identity, {a: accounts.content},
  CAST(coalesce(array_length(a.entitlements), 0) AS INT) AS entitlement_count, a.digest,
  CASE WHEN a.dead_since IS NULL THEN l.identity_id ELSE a.prev_identity END AS identity_id,
  CASE WHEN a.dead_since IS NULL THEN l.manual_link ELSE a.prev_link END AS manual_link,
  CASE WHEN a.dead_since IS NULL THEN l.linked_as ELSE a.prev_linked_as END AS linked_as,
  CASE WHEN a.dead_since IS NULL THEN l.manual_link ELSE a.prev_link END IS NOT NULL AS manually_correlated,
  CASE WHEN a.dead_since IS NULL THEN l.matched_rule ELSE a.prev_rule END AS matched_rule,
  CASE WHEN a.dead_since IS NOT NULL THEN a.prev_situation
       WHEN l.identity_id IS NULL THEN l.situation
       WHEN l.correlated THEN 'LINKED' ELSE 'PLACEHOLDER_OWNER' END AS situation,
  NOT coalesce(l.correlated, false) AS uncorrelated, l.candidates,
  a.created, a.modified, a.dead_since, a.held_since,
  get_field(a.typed, 'last_used') AS last_used, get_field(a.typed, 'last_used_latest') AS last_used_latest,
  get_field(a.typed, 'password_set') AS password_set, get_field(a.typed, 'expires') AS expires,
  get_field(a.typed, 'never_expires') AS never_expires, get_field(a.typed, 'kind') AS kind,
  get_field(a.typed, 'owner') AS owner, get_field(a.typed, 'privileged_by') AS privileged_by,
  get_field(a.typed, 'unreadable') AS unreadable, a.access_ended, a.access_seen,
  a.record_line, a.entitlements_since
FROM (SELECT n.*, account_columns(n.source_id, n.attributes) AS typed FROM accounts_now n) a
LEFT JOIN (
  SELECT k.*, i.correlated FROM links k
  LEFT JOIN (SELECT id, correlated FROM identities_next) i ON i.id = k.identity_id) l
  ON l.account_id = a.id
