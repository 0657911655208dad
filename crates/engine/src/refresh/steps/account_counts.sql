-- The number of live accounts of each identity.
SELECT identity_id, CAST(count(*) AS INT) AS n FROM links WHERE identity_id IS NOT NULL GROUP BY identity_id
