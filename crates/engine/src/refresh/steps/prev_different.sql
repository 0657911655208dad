-- Accounts of the last snapshot that the records which differ can concern.
SELECT p.* FROM prev_read p LEFT SEMI JOIN prev_concerned c ON c.id = p.id
