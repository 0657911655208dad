-- The number of documents of touched identities that were written, and of the accounts and rights in them.
SELECT count(*) AS documents, coalesce(sum("accountCount"), 0) AS accounts, coalesce(sum("accessCount"), 0) AS access
FROM written_identity_documents d LEFT SEMI JOIN documents_touched t ON t.id = d.id
