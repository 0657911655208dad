-- The time of the last snapshot for which each source was read completely.
SELECT a.source_id, max(t.taken) AS last_read
FROM prev_aggregations a
JOIN (SELECT DISTINCT snapshot_id, taken FROM prev_snapshot_counts) t ON t.snapshot_id = a.snapshot_id
WHERE a.complete GROUP BY a.source_id
