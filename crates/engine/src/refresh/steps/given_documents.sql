-- Documents that sources provide.
SELECT {documents} FROM read_{type} d
WHERE NOT EXISTS (SELECT 1 FROM repeated_{type} r WHERE r.id = d.id)
