-- Each record with the digest of its content, and the id that its account gets if it is new.
SELECT first_id, source_id, native_identity, line, {accounts.content}, digest
FROM staged_raw
