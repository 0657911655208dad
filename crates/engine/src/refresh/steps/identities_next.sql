-- The identities, with processing state, digest and modification time.
SELECT {identities.all but modified}, CASE WHEN prev_digest = digest THEN prev_modified ELSE refresh_time() END AS modified
FROM (
  SELECT *, content_digest({identities.content}) AS digest
  FROM (
    SELECT g.*, CASE WHEN e.errors > 0 THEN 'ERROR' WHEN e.warnings > 0 THEN 'WARNING' END AS processing_state
    FROM identities_gathered g
    LEFT JOIN (
      SELECT identity_id, sum(CASE WHEN severity = 'ERROR' THEN 1 ELSE 0 END) AS errors,
        sum(CASE WHEN severity = 'WARN' THEN 1 ELSE 0 END) AS warnings
      FROM identity_errors_next WHERE identity_id IS NOT NULL GROUP BY identity_id) e
      ON e.identity_id = g.id))
