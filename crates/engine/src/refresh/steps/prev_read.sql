-- Accounts of the last snapshot whose sources were read.
SELECT * FROM prev_accounts WHERE source_id IN ($read)
