-- One record for each native identity: the merged record, or the first of several equal ones.
SELECT first_id, source_id, native_identity, line, {accounts.content}, digest
FROM staged s WHERE NOT EXISTS (SELECT 1 FROM repeated r WHERE r.first_id = s.first_id)
UNION ALL
SELECT first_id, source_id, native_identity, line, {accounts.content}, content_digest({accounts.content}) AS digest
FROM united
UNION ALL
SELECT first_id, source_id, native_identity, line, {accounts.content}, digest FROM (
  SELECT *, row_number() OVER (PARTITION BY first_id ORDER BY line) AS k FROM equal_records)
WHERE k = 1
