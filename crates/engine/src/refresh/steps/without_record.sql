-- Accounts of the last snapshot that no usable record is about. They are kept by themselves, so that a plan knows that
-- they are few, and holds them and not the wide rows of all accounts.
SELECT p.id FROM (SELECT id FROM prev_read) p LEFT ANTI JOIN (SELECT id FROM staged_one) s ON s.id = p.id
