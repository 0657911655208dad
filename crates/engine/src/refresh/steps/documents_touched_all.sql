-- Identities whose documents are recomputed: all.
SELECT id FROM identities_next
