-- Live accounts of the last snapshot that are wanted and not yet among those to recompute. Few are wanted: their ids are
-- the side of the join that is held, so the rows of the others are never decoded.
SELECT p.id, p.source_id, p.source_name, f.authoritative, p.native_identity, {p: accounts.content}, p.digest,
  p.created, p.modified, p.dead_since, p.held_since, p.access_ended, p.access_seen, p.record_line, p.entitlements_since,
  p.identity_id AS prev_identity,
  p.matched_rule AS prev_rule, p.manual_link AS prev_link,
  coalesce(p.linked_as, CASE WHEN p.manual_link IS NOT NULL THEN p.native_identity END) AS prev_linked_as,
  p.situation AS prev_situation, 'kept' AS change, false AS held_otherwise
FROM source_flags f JOIN (
  SELECT a.* FROM (SELECT r.id FROM wanted r LEFT ANTI JOIN (SELECT id FROM accounts_now) n ON n.id = r.id) w
  JOIN prev_accounts a ON a.id = w.id) p ON p.source_id = f.source_id
WHERE p.dead_since IS NULL AND (NOT f.authoritative OR $identities)
