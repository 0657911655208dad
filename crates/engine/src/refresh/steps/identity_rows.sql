-- Identities, with the columns of their documents except the elements.
SELECT i.*, m.display_name AS manager_display_name, r.manager_id IS NOT NULL AS is_manager,
  i.status IN ('DISABLED', 'TERMINATED') AS inactive, a.disabled, a.locked,
  attribute_first(i.attributes, 'employeeNumber') AS employee_number, attribute_first(i.attributes, 'phone') AS phone
FROM (SELECT n.* FROM identities_next n LEFT SEMI JOIN (SELECT id FROM documents_touched) t ON t.id = n.id) i
LEFT JOIN (SELECT id, display_name FROM identities_next) m ON m.id = i.manager_id
LEFT JOIN (SELECT DISTINCT n.manager_id FROM (SELECT manager_id FROM identities_next) n
           LEFT SEMI JOIN documents_touched t ON t.id = n.manager_id) r ON r.manager_id = i.id
LEFT JOIN (SELECT id, disabled, locked FROM document_accounts) a ON a.id = i.account_id
