-- The records with the ids of their accounts.
SELECT i.id, s.source_id, s.native_identity, s.line, {s: accounts.content}, s.digest
FROM staged_single s JOIN staged_ids i ON i.first_id = s.first_id
