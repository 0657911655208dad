-- Identities of the last snapshot that would be lost, and those that would become orphans. An identity is lost if it has
-- no account on an authoritative source any more, or is not ACTIVE any more.
SELECT * FROM (
  SELECT p.id,
    n.id IS NULL OR (p.correlated AND NOT n.correlated)
      OR coalesce(p.status = 'ACTIVE' AND n.status IS DISTINCT FROM 'ACTIVE', false) AS lost,
    n.id IS NOT NULL AND NOT n.correlated AND NOT n.protected AND (p.correlated OR p.protected) AS orphan
  FROM {before} p LEFT JOIN {identities} n ON n.id = p.id)
WHERE lost OR orphan
