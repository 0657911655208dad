-- Each right, with the columns of an entitlement document. Its id is computed once, however many have the right.
SELECT r.*, coalesce(p.created, refresh_time()) AS created
FROM (SELECT stable_id('entitlement', source_id, attribute, value) AS id, source_id, source_name, source_type,
        attribute, value
      FROM (SELECT DISTINCT source_id, source_name, source_type, attribute, value FROM entitlement_rights)) r
LEFT JOIN (SELECT id, created FROM prev_entitlement_documents) p ON p.id = r.id
