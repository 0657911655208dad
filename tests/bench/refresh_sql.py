"""The statements of `refresh_duckdb.py` that do not depend on the sources. Each does what steps of the refresh do."""

MACROS = [
    # 32 hex digits of SHA-256 over the parts, each with its length before it.
    "CREATE TEMP MACRO part(t) AS unhex(printf('%016x', strlen(t))) || encode(t)",
    "CREATE TEMP MACRO stable_id(a, b, c) AS left(sha256(part(a) || part(b) || part(c)), 32)",
    "CREATE TEMP MACRO stable_id4(a, b, c, d) AS left(sha256(part(a) || part(b) || part(c) || part(d)), 32)",
    "CREATE TEMP MACRO first_of(m, k) AS m[k][1]",
]

# Records of one account whose content differs are refused; of equal ones the first is taken.
STAGED_ROWS = """
CREATE TEMP TABLE staged AS
SELECT stable_id('account', source_id, native_identity) AS id, *,
  left(sha256(concat_ws(chr(31), name, display_name, uuid, disabled, locked, system, privileged, CAST(attributes AS VARCHAR),
    CAST(entitlements AS VARCHAR))), 32) AS digest
FROM staged_all;
DROP TABLE staged_all;
CREATE TEMP TABLE repeated AS
SELECT id, count(*) AS n, min(digest) <> max(digest) AS differs FROM staged GROUP BY id HAVING count(*) > 1;
CREATE TEMP TABLE rejected_records AS
{refused}
UNION ALL
SELECT s.source_id, s.source_name, 0, s.native_identity, 'records whose content differs' FROM staged s JOIN repeated r ON r.id = s.id
WHERE r.differs;
CREATE TEMP TABLE staged_one AS
SELECT * FROM staged WHERE id NOT IN (SELECT id FROM repeated)
UNION ALL
SELECT s.* FROM staged s JOIN repeated r ON r.id = s.id WHERE NOT r.differs
QUALIFY row_number() OVER (PARTITION BY s.id) = 1;
DROP TABLE staged
"""

IDENTITY_ROWS = {
    "best": """
CREATE OR REPLACE TEMP TABLE best AS
SELECT o.identity_id, o.account_id FROM owned o JOIN mapped m ON m.account_id = o.account_id
QUALIFY row_number() OVER (PARTITION BY o.identity_id ORDER BY m.rank, m.place, m.native_identity, m.account_id) = 1
""",
    "known": """
CREATE OR REPLACE TEMP TABLE known AS
SELECT b.identity_id AS id, m.uid, m.attributes FROM mapped m JOIN best b ON b.account_id = m.account_id
""",
}

ACCOUNT_ROWS = [
    """
CREATE TEMP TABLE links AS
SELECT o.account_id, CASE WHEN d.n = 1 THEN d.identity_id END AS identity_id,
  CASE WHEN d.n = 1 THEN 'LINKED' WHEN d.n > 1 THEN 'DISPUTED' ELSE 'UNMATCHED' END AS situation, d.rule AS matched_rule,
  CASE WHEN d.n > 1 THEN d.candidates END AS candidates
FROM other o LEFT JOIN other_decisions d ON d.account_id = o.account_id
UNION ALL
SELECT account_id, identity_id, 'LINKED', matched_rule, NULL FROM owned
UNION ALL
SELECT m.account_id, NULL, CASE WHEN d.account_id IS NOT NULL THEN 'DISPUTED' ELSE 'UNMATCHED' END, d.rule, d.candidates
FROM mapped m LEFT JOIN open_decisions d ON d.account_id = m.account_id
WHERE m.account_id NOT IN (SELECT account_id FROM owned)
""",
    "CREATE TEMP TABLE account_counts AS SELECT identity_id, count(*) AS n FROM links WHERE identity_id IS NOT NULL GROUP BY identity_id",
    # By its name, the only identity that has it.
    "CREATE TEMP TABLE managers AS SELECT uid AS name, min(id) AS id FROM known WHERE uid IS NOT NULL GROUP BY uid HAVING count(*) = 1",
    """CREATE TEMP TABLE folded_managers AS
SELECT lower(uid) AS name, min(id) AS id FROM known WHERE uid IS NOT NULL GROUP BY lower(uid) HAVING count(*) = 1""",
    """
CREATE TEMP TABLE gathered AS
SELECT b.identity_id AS id, m.uid AS name, first_of(m.attributes, 'displayName') AS display_name,
  first_of(m.attributes, 'firstname') AS first_name, first_of(m.attributes, 'lastname') AS last_name,
  first_of(m.attributes, 'email') AS email, m.profile, m.source_id AS authoritative_source_id,
  m.source_name AS authoritative_source, m.source_name AS last_authoritative_source, m.state AS lifecycle_state, m.status,
  true AS correlated, m.protected, coalesce(r.id, f.id) AS manager_id, w.uid AS manager_name, coalesce(c.n, 0)::INT AS account_count,
  m.attributes, m.account_id
FROM mapped m JOIN best b ON b.account_id = m.account_id
LEFT JOIN managers r ON r.name = m.manager
LEFT JOIN folded_managers f ON f.name = lower(m.manager)
LEFT JOIN known w ON w.id = coalesce(r.id, f.id)
LEFT JOIN account_counts c ON c.identity_id = b.identity_id
""",
    """
CREATE TEMP TABLE identity_errors AS
WITH subjects AS (
  SELECT m.*, b.identity_id, l.situation, l.candidates FROM mapped m
  LEFT JOIN best b ON b.account_id = m.account_id JOIN links l ON l.account_id = m.account_id
  WHERE b.identity_id IS NOT NULL OR l.identity_id IS NULL),
found AS (
  SELECT source_id, native_identity, identity_id, uid, profile, 'ERROR' AS severity, 'MISSING_REQUIRED_ATTRIBUTE' AS error_code,
    unnest(lacking) AS attribute, NULL AS value FROM subjects
  UNION ALL
  SELECT source_id, native_identity, identity_id, uid, profile, 'ERROR', 'TRANSFORM_FAILED', unnest(failed), NULL FROM subjects
  UNION ALL
  SELECT s.source_id, s.native_identity, s.identity_id, s.uid, s.profile, 'ERROR', 'NON_UNIQUE_ATTRIBUTE', 'uid', s.uid
  FROM subjects s JOIN (SELECT uid FROM known WHERE uid IS NOT NULL GROUP BY uid HAVING count(*) > 1) c ON c.uid = s.uid
  WHERE s.identity_id IS NOT NULL
  UNION ALL
  SELECT source_id, native_identity, identity_id, uid, profile, 'ERROR', 'DISPUTED_CORRELATION', NULL, NULL FROM subjects
  WHERE situation = 'DISPUTED'
  UNION ALL
  SELECT s.source_id, s.native_identity, s.identity_id, s.uid, s.profile, 'WARN', 'MANAGER_UNRESOLVED', 'manager', s.manager
  FROM subjects s JOIN gathered g ON g.id = s.identity_id WHERE s.manager IS NOT NULL AND g.manager_id IS NULL
  UNION ALL
  SELECT source_id, native_identity, identity_id, uid, profile, 'WARN', 'UNMAPPED_LIFECYCLE_VALUE', 'cloudLifecycleState', unmapped
  FROM subjects WHERE identity_id IS NOT NULL AND unmapped IS NOT NULL
  UNION ALL
  SELECT s.source_id, s.native_identity, s.identity_id, s.uid, s.profile, 'WARN', 'MULTIPLE_RECORDS', 'cloudLifecycleState', s.state
  FROM subjects s JOIN (
    SELECT o.identity_id, m.rank FROM mapped m JOIN owned o ON o.account_id = m.account_id
    GROUP BY o.identity_id, m.rank HAVING min(coalesce(m.state, '')) <> max(coalesce(m.state, ''))) r
    ON r.identity_id = s.identity_id AND r.rank = s.rank
  UNION ALL
  SELECT r.source_id, r.native_identity, NULL, NULL, p.profile, 'ERROR', 'RECORD_REFUSED', NULL, r.reason
  FROM rejected_records r JOIN (SELECT DISTINCT source_id, profile FROM mapped) p ON p.source_id = r.source_id)
SELECT stable_id4('error', source_id, coalesce(native_identity, ''), error_code || coalesce(attribute, '')) AS id, *, now() AS detected
FROM found
""",
    """
CREATE TEMP TABLE identities AS
SELECT *, left(sha256(concat_ws(chr(31), name, display_name, status, processing_state, manager_id, CAST(attributes AS VARCHAR))), 32) AS digest,
  now() AS created, now() AS modified
FROM (
  SELECT g.*, CASE WHEN e.errors > 0 THEN 'ERROR' WHEN e.warnings > 0 THEN 'WARNING' END AS processing_state
  FROM gathered g LEFT JOIN (
    SELECT identity_id, count(*) FILTER (severity = 'ERROR') AS errors, count(*) FILTER (severity = 'WARN') AS warnings
    FROM identity_errors WHERE identity_id IS NOT NULL GROUP BY identity_id) e ON e.identity_id = g.id)
""",
    """
CREATE TEMP TABLE accounts AS
SELECT a.id, a.source_id, a.source_name, a.native_identity, a.name, a.display_name, a.uuid, a.disabled, a.locked, a.system, a.privileged,
  a.attributes, a.entitlements, len(a.entitlements)::INT AS entitlement_count, a.digest, l.identity_id, false AS manually_correlated,
  l.matched_rule, l.situation, l.identity_id IS NULL AS uncorrelated, l.candidates, now() AS created, now() AS modified,
  CAST(NULL AS TIMESTAMPTZ) AS dead_since
FROM staged_one a LEFT JOIN links l ON l.account_id = a.id
""",
    "DROP TABLE staged_one CASCADE",
]

# Lists are made of sorted rows and not sorted themselves, which takes DuckDB three times as long. An identity whose rows two
# threads read may so have its elements in another order.
DOCUMENTS = [
    """
CREATE TEMP TABLE account_rights AS
SELECT a.*, s.kind AS source_type,
  map_from_entries(list_filter(map_entries(a.attributes), lambda e: list_contains(s.names, e.key))) AS rights
FROM accounts a JOIN document_sources s ON s.source_id = a.source_id
""",
    """
CREATE TEMP TABLE document_rights AS
SELECT DISTINCT identity_id, source_id, source_name, source_type, attribute, unnest(vals) AS value
FROM (
  SELECT identity_id, source_id, source_name, source_type, e.key AS attribute, e.value AS vals
  FROM (SELECT identity_id, source_id, source_name, source_type, unnest(map_entries(rights)) AS e FROM account_rights))
""",
    """
CREATE TEMP TABLE entitlement_documents AS
SELECT stable_id4('entitlement', source_id, attribute, value) AS id, value AS name, value AS displayName, now() AS created,
  {'id': source_id, 'name': source_name, 'type': source_type} AS source, attribute, value
FROM (SELECT DISTINCT source_id, source_name, source_type, attribute, value FROM document_rights)
""",
    """
CREATE TEMP VIEW account_lists AS
SELECT identity_id, list(element) AS accounts
FROM (
  SELECT identity_id, {'id': id, 'name': name, 'accountId': native_identity,
    'source': {'id': source_id, 'name': source_name, 'type': source_type}, 'disabled': disabled, 'locked': locked,
    'privileged': privileged, 'manuallyCorrelated': manually_correlated, 'entitlementAttributes': rights,
    'accountAttributes': attributes, 'created': created} AS element
  FROM account_rights WHERE identity_id IS NOT NULL ORDER BY identity_id, source_name, native_identity, id)
GROUP BY identity_id
""",
    """
CREATE TEMP VIEW access_lists AS
SELECT identity_id, list(element) AS access
FROM (
  SELECT identity_id, {'id': stable_id4('entitlement', source_id, attribute, value), 'name': value, 'displayName': value,
    'description': CAST(NULL AS VARCHAR), 'type': 'ENTITLEMENT', 'enabled': CAST(NULL AS BOOLEAN),
    'requestable': CAST(NULL AS BOOLEAN), 'requestCommentsRequired': CAST(NULL AS BOOLEAN),
    'source': {'id': source_id, 'name': source_name},
    'owner': {'id': CAST(NULL AS VARCHAR), 'name': CAST(NULL AS VARCHAR), 'displayName': CAST(NULL AS VARCHAR)},
    'disabled': CAST(NULL AS BOOLEAN), 'privileged': CAST(NULL AS BOOLEAN), 'attribute': attribute, 'value': value,
    'standalone': CAST(NULL AS BOOLEAN), 'revocable': CAST(NULL AS BOOLEAN), 'cloudEligible': CAST(NULL AS BOOLEAN),
    'cloudGoverned': CAST(NULL AS BOOLEAN), 'schema': CAST(NULL AS VARCHAR)} AS element
  FROM document_rights WHERE identity_id IS NOT NULL ORDER BY identity_id, source_name, attribute, value, source_id)
GROUP BY identity_id
""",
    """
CREATE TEMP VIEW identity_documents AS
SELECT i.id, i.name, i.display_name AS displayName, i.first_name AS firstName, i.last_name AS lastName, i.email,
  first_of(i.attributes, 'phone') AS phone, i.created, i.modified, i.modified AS synced,
  i.status IN ('DISABLED', 'TERMINATED') AS inactive, i.protected, i.status,
  first_of(i.attributes, 'employeeNumber') AS employeeNumber, a.disabled, a.locked,
  {'id': i.manager_id, 'name': i.manager_name, 'displayName': m.display_name} AS manager, r.manager_id IS NOT NULL AS isManager,
  {'name': i.profile} AS identityProfile, {'id': i.authoritative_source_id, 'name': i.authoritative_source} AS source,
  i.attributes, i.processing_state AS processingState, coalesce(l.accounts, []) AS accounts, coalesce(len(l.accounts), 0) AS accountCount,
  coalesce(c.access, []) AS access, coalesce(len(c.access), 0) AS accessCount, coalesce(len(c.access), 0) AS entitlementCount,
  0 AS appCount, 0 AS accessProfileCount, 0 AS roleCount
FROM identities i
LEFT JOIN identities m ON m.id = i.manager_id
LEFT JOIN (SELECT DISTINCT manager_id FROM identities) r ON r.manager_id = i.id
LEFT JOIN accounts a ON a.id = i.account_id
LEFT JOIN account_lists l ON l.identity_id = i.id
LEFT JOIN access_lists c ON c.identity_id = i.id
""",
]
