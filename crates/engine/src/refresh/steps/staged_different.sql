-- The records that differ from their accounts.
SELECT s.first_id, s.source_id, s.native_identity, s.line, {s: accounts.content}, s.digest
FROM staged_single s
LEFT SEMI JOIN (SELECT first_id FROM differences WHERE first_id IS NOT NULL) d ON d.first_id = s.first_id
