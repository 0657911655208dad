-- Those with a uid: an account without one cannot be told from others, and is left for the error report.
SELECT * FROM undecided WHERE uid IS NOT NULL
