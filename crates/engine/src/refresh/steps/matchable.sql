-- Undecided accounts with a uid. An account without a uid cannot be distinguished from others; it is left for the error
-- report.
SELECT * FROM undecided WHERE uid IS NOT NULL
