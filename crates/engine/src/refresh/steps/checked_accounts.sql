-- The live accounts of the identities whose documents were written, as they were written.
SELECT a.id, a.identity_id, a.source_id, a.attributes FROM written_accounts a
LEFT SEMI JOIN documents_touched t ON t.id = a.identity_id WHERE a.dead_since IS NULL
