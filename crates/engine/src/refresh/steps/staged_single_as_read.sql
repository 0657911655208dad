-- The records as they were read.
SELECT first_id, source_id, native_identity, line, {accounts.content}, digest FROM staged
