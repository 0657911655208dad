-- How many identities would be lost, and how many would become orphans.
SELECT coalesce(sum(CASE WHEN lost THEN 1 ELSE 0 END), 0) AS lost,
  coalesce(sum(CASE WHEN orphan THEN 1 ELSE 0 END), 0) AS orphans
FROM identities_going
