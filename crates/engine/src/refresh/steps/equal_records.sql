-- Records of an account that has several, all of them equal. They are kept before they are numbered, because the planner
-- would sort all records first and join them after that.
SELECT s.first_id, s.source_id, s.native_identity, s.line, {s: accounts.content}, s.digest
FROM (SELECT first_id FROM repeated WHERE NOT merge_rows AND NOT differ) r JOIN staged s ON s.first_id = r.first_id
