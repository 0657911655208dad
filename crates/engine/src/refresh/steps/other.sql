-- Live accounts of the other sources with the manual link on them. A link follows its account when the account is
-- moved: it names the native identity at the time of the link, and does not apply to a later account with that native
-- identity. Attributes are read from the accounts where rules need them.
SELECT a.id AS account_id, a.source_id, a.prev_identity, a.prev_link,
  coalesce(m.identity_name, e.identity_name) AS identity_name,
  CASE WHEN m.identity_name IS NOT NULL THEN m.native_identity ELSE e.native_identity END AS linked_as
FROM accounts_now a
LEFT JOIN (SELECT l.* FROM manual_links l LEFT ANTI JOIN (
    SELECT source_id, prev_linked_as FROM accounts_now
    WHERE dead_since IS NULL AND prev_linked_as <> native_identity) c
    ON c.source_id = l.source_id AND c.prev_linked_as = l.native_identity) m
  ON m.source_id = a.source_id AND m.native_identity = a.native_identity
LEFT JOIN manual_links e ON e.source_id = a.source_id AND e.native_identity = a.prev_linked_as
WHERE a.dead_since IS NULL AND NOT a.authoritative
