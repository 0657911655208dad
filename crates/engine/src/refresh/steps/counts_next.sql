-- The counts of this snapshot.
SELECT $snapshot AS snapshot_id, refresh_time() AS taken, counted, source_id, number FROM numbers_next
