-- Every error. An error keeps its id while its record has the error.
WITH found AS (
  SELECT source_id, native_identity, attribute AS which, identity_id, uid, display_name, profile,
    'ERROR' AS severity, 'MISSING_REQUIRED_ATTRIBUTE' AS error_code, attribute, CAST(NULL AS VARCHAR) AS value,
    concat('attribute ', attribute, ' is empty after mapping: the identity profile requires it') AS message
  FROM missing_attributes
  UNION ALL
  SELECT source_id, native_identity, split_part(failure, chr(9), 1) AS which, identity_id, uid, display_name, profile,
    'ERROR' AS severity, 'TRANSFORM_FAILED' AS error_code, split_part(failure, chr(9), 1) AS attribute,
    substr(failure, strpos(failure, chr(9)) + 1) AS value,
    concat('the transforms of attribute ', split_part(failure, chr(9), 1), ' give no result for this value') AS message
  FROM (SELECT *, unnest(failures) AS failure FROM subjects) WHERE failure IS NOT NULL
  UNION ALL
  SELECT s.source_id, s.native_identity, 'uid' AS which, s.identity_id, s.uid, s.display_name, s.profile,
    'ERROR' AS severity, 'NON_UNIQUE_ATTRIBUTE' AS error_code, 'uid' AS attribute, s.uid AS value,
    concat('uid is shared by ', CAST(c.n AS VARCHAR), ' identities: ', c.ids) AS message
  FROM subjects s
  JOIN shared_uids c ON c.uid = s.uid
  WHERE s.identity_id IS NOT NULL
  UNION ALL
  SELECT source_id, native_identity, CAST(NULL AS VARCHAR) AS which, identity_id, uid, display_name, profile,
    'ERROR' AS severity, 'DISPUTED_CORRELATION' AS error_code, CAST(NULL AS VARCHAR) AS attribute,
    CAST(NULL AS VARCHAR) AS value,
    concat('the account matches more than one identity: ', array_to_string(candidates, ', ')) AS message
  FROM subjects WHERE situation = 'DISPUTED'
  UNION ALL
  SELECT s.source_id, s.native_identity, s.manager_attribute AS which, s.identity_id, s.uid, s.display_name, s.profile,
    'WARN' AS severity, 'MANAGER_UNRESOLVED' AS error_code, s.manager_attribute AS attribute, s.manager AS value,
    concat('no identity, or more than one, has the manager''s ', s.manager_means, ' ', s.manager) AS message
  FROM subjects s JOIN (SELECT id, manager_id FROM identities_gathered) g ON g.id = s.identity_id
  WHERE s.manager IS NOT NULL AND g.manager_id IS NULL
  UNION ALL
  SELECT source_id, native_identity, $lifecycle AS which, identity_id, uid, display_name, profile,
    'WARN' AS severity, 'UNMAPPED_LIFECYCLE_VALUE' AS error_code, $lifecycle AS attribute,
    nullif(unmapped, '') AS value,
    CASE WHEN unmapped = ''
         THEN 'the record has no lifecycle state: expected a value that the identity profile maps'
         ELSE concat('the identity profile does not say what the lifecycle state ', unmapped, ' means') END AS message
  FROM subjects WHERE identity_id IS NOT NULL AND unmapped IS NOT NULL
  UNION ALL
  SELECT s.source_id, s.native_identity, $lifecycle AS which, s.identity_id, s.uid, s.display_name, s.profile,
    'WARN' AS severity, 'MULTIPLE_RECORDS' AS error_code, $lifecycle AS attribute,
    attribute_first(s.attributes, $lifecycle) AS value,
    concat('the person has ', CAST(r.n AS VARCHAR), ' records, whose states differ: ', r.records, '; ',
      s.native_identity, ' decides') AS message
  FROM subjects s
  JOIN (
    SELECT o.identity_id, m.rank, count(*) AS n, array_to_string(array_sort(array_agg(
        concat(m.native_identity, ' (', coalesce(attribute_first(m.attributes, $lifecycle), 'none'), ')'))), ', ') AS records
    FROM mapped m JOIN (SELECT account_id, identity_id FROM owned) o ON o.account_id = m.account_id
    JOIN (SELECT identity_id FROM owned GROUP BY identity_id HAVING count(*) > 1) d ON d.identity_id = o.identity_id
    GROUP BY o.identity_id, m.rank
    HAVING count(DISTINCT coalesce(attribute_first(m.attributes, $lifecycle), '')) > 1) r
    ON r.identity_id = s.identity_id AND r.rank = s.rank
  UNION ALL
  -- The record of somebody who is known is an error of that identity.
  SELECT r.source_id, r.native_identity,
    concat(r.reason, ' ', CAST(row_number() OVER (
      PARTITION BY r.source_id, r.native_identity, r.reason ORDER BY r.line) AS VARCHAR)) AS which,
    o.identity_id, k.uid, k.display_name, f.profile,
    'ERROR' AS severity, 'RECORD_REFUSED' AS error_code, CAST(NULL AS VARCHAR) AS attribute,
    CAST(NULL AS VARCHAR) AS value,
    concat(CASE WHEN r.line > 0 THEN concat('line ', CAST(r.line AS VARCHAR), ': ') ELSE '' END, r.reason) AS message
  FROM rejected r
  JOIN profiles f ON f.source_id = r.source_id
  LEFT JOIN (SELECT account_id, source_id, native_identity FROM mapped) m
    ON m.source_id = r.source_id AND m.native_identity = r.native_identity
  LEFT JOIN (SELECT account_id, identity_id FROM owned) o ON o.account_id = m.account_id
  LEFT JOIN (SELECT identity_id, uid, display_name FROM subjects WHERE identity_id IS NOT NULL) k
    ON k.identity_id = o.identity_id)
SELECT stable_id('error', source_id, coalesce(native_identity, ''), error_code, coalesce(which, '')) AS id,
  identity_id, CASE WHEN identity_id IS NOT NULL THEN uid END AS identity_name, display_name, native_identity,
  source_id, profile, severity, error_code, attribute, value, message
FROM found
