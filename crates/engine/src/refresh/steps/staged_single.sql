-- One record for each native identity: the merged record, or the first of several equal ones.
SELECT first_id, source_id, native_identity, line, {accounts.content}, digest
FROM staged s WHERE NOT EXISTS (SELECT 1 FROM repeated r WHERE r.first_id = s.first_id)
UNION ALL
SELECT first_id, source_id, native_identity, line, {accounts.content}, content_digest({accounts.content}) AS digest
FROM united
UNION ALL
SELECT first_id, source_id, native_identity, line, {accounts.content}, digest FROM (
  SELECT s.*, row_number() OVER (PARTITION BY s.first_id ORDER BY s.line) AS k
  FROM staged s JOIN repeated r ON r.first_id = s.first_id WHERE NOT r.merge_rows AND NOT r.differ)
WHERE k = 1
