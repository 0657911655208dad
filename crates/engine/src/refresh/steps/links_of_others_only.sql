-- The links of the recomputed accounts.
SELECT * FROM links_of_others
