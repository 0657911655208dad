-- The entitlements that live accounts had in the last snapshot, for those whose content has changed.
SELECT p.id, p.entitlements, p.entitlements_since FROM changed_content w JOIN prev_read p ON p.id = w.id
