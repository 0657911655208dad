-- Every identity without processing state, digest and modification time. An identity that lost its authoritative
-- account keeps its last status and manager. Narrow rows are joined first, so that wide rows are joined once.
SELECT g.*, coalesce(c.n, 0) AS account_count, w.uid AS manager_name
FROM (
  SELECT b.id, m.attributes, m.uid AS name,
    attribute_first(m.attributes, 'displayName') AS display_name,
    attribute_first(m.attributes, 'firstname') AS first_name,
    attribute_first(m.attributes, 'lastname') AS last_name,
    attribute_first(m.attributes, 'email') AS email,
    b.manager_id,
    attribute_first(m.attributes, $lifecycle) AS lifecycle_state, m.status,
    f.profile, m.source_id AS authoritative_source_id, f.source_name AS authoritative_source,
    f.source_name AS last_authoritative_source,
    true AS correlated, m.protected, no_time() AS lost_since,
    m.account_id, m.starts, m.ends, m.left_on, m.unreadable, b.prev_digest, coalesce(b.prev_created, refresh_time()) AS created, b.prev_modified
  FROM mapped m
  JOIN (
    SELECT o.identity_id AS id, o.account_id, coalesce(r.id, q.id) AS manager_id, p.digest AS prev_digest,
      p.created AS prev_created, p.modified AS prev_modified
    FROM best o
    JOIN (SELECT account_id, manager_kind, manager FROM mapped) a ON a.account_id = o.account_id
    LEFT JOIN managers r ON r.kind = a.manager_kind AND r.name = a.manager
    LEFT JOIN managers q ON q.kind = concat('folded ', a.manager_kind) AND q.name = lower(a.manager)
    LEFT JOIN (SELECT id, digest, created, modified FROM {before}) p ON p.id = o.identity_id) b
    ON b.account_id = m.account_id
  JOIN profiles f ON f.source_id = m.source_id
  UNION ALL
  SELECT p.id, p.attributes, p.name, p.display_name, p.first_name, p.last_name, p.email,
    p.manager_id, p.lifecycle_state, CASE WHEN p.status NOT IN ('ERROR', 'WARNING') THEN p.status END,
    CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), p.last_authoritative_source,
    false, p.protected, CASE WHEN p.correlated THEN refresh_time() ELSE p.lost_since END,
    CAST(NULL AS VARCHAR), p.starts, p.ends, p.left_on, p.unreadable, p.digest, p.created, p.modified
  FROM {before} p
  WHERE NOT EXISTS (SELECT 1 FROM best b WHERE b.identity_id = p.id)
) g
LEFT JOIN account_counts c ON c.identity_id = g.id
LEFT JOIN (SELECT id, uid FROM known) w ON w.id = g.manager_id
