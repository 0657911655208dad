-- The sources of rights that touched accounts lost.
SELECT DISTINCT source_id FROM rights_gone
