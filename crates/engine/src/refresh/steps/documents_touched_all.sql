-- Identities whose documents are made again: all.
SELECT id FROM identities_next
