-- The links of the accounts that are made again.
SELECT * FROM links_of_others
