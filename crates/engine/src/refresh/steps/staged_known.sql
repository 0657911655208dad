-- The records with the ids of their accounts.
SELECT coalesce(i.id, s.first_id) AS id, s.source_id, s.native_identity, s.line, {s: accounts.content}, s.digest
FROM staged_single s LEFT JOIN staged_ids i ON i.first_id = s.first_id
