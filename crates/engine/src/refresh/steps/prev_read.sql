-- Accounts of the last snapshot whose sources were read.
SELECT * FROM prev_accounts WHERE NOT (source_id IN ($carried))
