-- How many more or fewer live accounts each identity has.
SELECT identity_id, n FROM (
  SELECT identity_id, sum(change) AS n FROM (
    SELECT identity_id, 1 AS change FROM links
    UNION ALL
    SELECT identity_id, -1 AS change FROM prev_of_now WHERE dead_since IS NULL)
  WHERE identity_id IS NOT NULL GROUP BY identity_id)
WHERE n <> 0
