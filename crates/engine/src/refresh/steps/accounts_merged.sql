-- Every account of the sources that were read, with its state in the last snapshot. A record with the same content and
-- native identity as the account's last record changes nothing. The wide rows are never the left side of a join, which is
-- the side that is held. An account whose access had ended before that was recorded had ended at the latest when its content last
-- changed.
SELECT s.id, s.source_id, f.source_name, f.authoritative, s.native_identity, {s: accounts.content}, s.digest,
  coalesce(p.created, refresh_time()) AS created,
  CASE WHEN p.digest = s.digest AND p.native_identity = s.native_identity AND p.dead_since IS NULL
       THEN p.modified ELSE refresh_time() END AS modified,
  no_time() AS dead_since, no_time() AS held_since,
  CASE WHEN s.disabled THEN coalesce(p.access_ended, CASE WHEN p.disabled THEN p.modified ELSE p.dead_since END,
    refresh_time()) END AS access_ended,
  CASE WHEN NOT s.disabled THEN NULL WHEN p.disabled OR p.dead_since IS NOT NULL THEN p.access_seen
       WHEN p.id IS NOT NULL THEN r.last_read END AS access_seen,
  CASE WHEN p.digest = s.digest AND p.native_identity = s.native_identity AND p.dead_since IS NULL THEN p.record_line
       WHEN s.line > 0 THEN CAST(s.line AS BIGINT) END AS record_line,
  CASE WHEN p.digest = s.digest AND p.dead_since IS NULL THEN p.entitlements_since
       ELSE texts_since(s.entitlements, e.entitlements, e.entitlements_since, refresh_time()) END AS entitlements_since,
  p.identity_id AS prev_identity, p.matched_rule AS prev_rule, p.manual_link AS prev_link,
  coalesce(p.linked_as, CASE WHEN p.manual_link IS NOT NULL THEN p.native_identity END) AS prev_linked_as,
  p.situation AS prev_situation,
  CASE WHEN p.id IS NULL THEN 'created'
       WHEN p.digest = s.digest AND p.native_identity = s.native_identity AND p.dead_since IS NULL THEN 'unchanged'
       ELSE 'updated' END AS change,
  p.held_since IS NOT NULL AS held_otherwise
FROM source_flags f
JOIN (last_reads r RIGHT JOIN (entitlements_before e RIGHT JOIN (prev_read p RIGHT JOIN staged_one s ON s.id = p.id)
  ON e.id = s.id) ON r.source_id = s.source_id) ON f.source_id = s.source_id
UNION ALL
SELECT id, source_id, source_name, authoritative, native_identity, {accounts.content}, digest, created, modified,
  CASE WHEN dead_since IS NULL AND is_missing THEN refresh_time() ELSE dead_since END,
  CASE WHEN dead_since IS NOT NULL OR is_missing OR is_there THEN NULL
       WHEN is_held THEN coalesce(was_held_since, refresh_time()) ELSE was_held_since END,
  CASE WHEN disabled OR dead_since IS NOT NULL OR is_missing
       THEN coalesce(was_ended, CASE WHEN disabled THEN modified ELSE dead_since END, refresh_time()) END,
  CASE WHEN disabled OR dead_since IS NOT NULL THEN was_seen WHEN is_missing THEN last_read END,
  record_line, entitlements_since, prev_identity, prev_rule, prev_link, prev_linked_as, prev_situation,
  CASE WHEN dead_since IS NOT NULL THEN 'dead' WHEN is_missing THEN 'missing' WHEN present THEN 'present' ELSE 'kept' END,
  dead_since IS NULL AND NOT is_missing
    AND ((is_there AND was_held_since IS NOT NULL) OR (NOT is_there AND is_held AND was_held_since IS NULL))
FROM (
  SELECT p.id, p.source_id, coalesce(f.source_name, p.source_name) AS source_name,
    coalesce(f.authoritative, false) AS authoritative, p.native_identity, {p: accounts.content}, p.digest,
    p.created, p.modified, p.dead_since, p.held_since AS was_held_since, p.access_ended AS was_ended,
    p.access_seen AS was_seen, r.last_read, p.record_line, p.entitlements_since, p.identity_id AS prev_identity,
    p.matched_rule AS prev_rule, p.manual_link AS prev_link,
    coalesce(p.linked_as, CASE WHEN p.manual_link IS NOT NULL THEN p.native_identity END) AS prev_linked_as,
    p.situation AS prev_situation, k.id IS NOT NULL AS is_there, coalesce(k.present, false) AS present,
    coalesce(f.hold_missing, false) AS is_held,
    f.source_id IS NULL OR (k.id IS NULL AND f.mark_missing AND (p.held_since IS NULL OR f.mark_held)) AS is_missing
  FROM source_flags f RIGHT JOIN (last_reads r RIGHT JOIN (kept_ids k RIGHT JOIN (without_record w JOIN prev_read p
    ON p.id = w.id) ON k.id = p.id) ON r.source_id = p.source_id) ON f.source_id = p.source_id)
