"""Does in DuckDB what the first refresh of an empty data directory does with the sample organisation.

    pip install duckdb
    python tests/bench/refresh_duckdb.py make SOURCES OUT
    python tests/bench/refresh_duckdb.py count DATA_DIR

`make` reads the definitions `SOURCES/*.toml` and the files that they name, maps and correlates by their rules, and writes the
tables as Parquet files into the folder OUT, with DuckDB's own compression. Ids are those of a refresh. Most columns that are null
in every row of a sample organisation are left out. There is no comparison with a last snapshot, no second count and no sync.
What the sample's definitions do not use is refused.

`count` counts the same tables of a data directory, from their newest versions: all rows (`rows`), and those of accounts that
are on their sources and of identities that have an authoritative account (`live`).

Both print one line of JSON.
"""

import json
import sys
import tomllib
from hashlib import sha256
from pathlib import Path

import duckdb
from measured import database, since, start, tables_of, text
from refresh_sql import ACCOUNT_ROWS, DOCUMENTS, IDENTITY_ROWS, MACROS, STAGED_ROWS

TABLES = [
    "sources",
    "identity_profiles",
    "rejected_records",
    "accounts",
    "identities",
    "identity_errors",
    "identity_documents",
    "entitlement_documents",
    "access_profile_documents",
    "role_documents",
]
# Rows of these tables stay when what they are about is gone.
LIVE = {
    "accounts": "dead_since IS NULL",
    "identities": "correlated",
    "identity_documents": "identityProfile.name IS NOT NULL",
}
ENCODINGS = {"utf-8": "utf-8", "iso-8859-1": "latin-1", "utf-16le": "utf-16"}


class Source:
    """A definition, as far as the sample uses it."""

    def __init__(self, path):
        definition = tomllib.loads(path.read_text(encoding="utf-8"))
        self.folder = path.parent
        self.name = definition["name"]
        self.kind = definition["kind"]
        self.id = definition.get("id") or sha256(f"source:{self.name}".encode()).hexdigest()[:32]
        self.profile = definition.get("profile")
        self.rules = definition.get("correlation", [])
        self.lifecycle = definition.get("lifecycle")
        self.settings = definition[self.kind]
        self.definition = json.dumps(definition)

    def header(self):
        """The names in the first line of the file."""
        encoding = self.settings.get("encoding", "utf-8")
        with open(self.folder / self.settings["path"], encoding="utf-8-sig" if encoding == "utf-8" else encoding) as file:
            return file.readline().rstrip("\r\n").lstrip("\ufeff").split(self.settings.get("delimiter", ","))


# What no cell holds: a cell that is there is never null, however empty it is.
ABSENT = "\u0001"


def read_file(connection, source, number):
    """Leaves the records of the file as they are in `read_NUMBER`, all columns as text, and the refused ones in `refused_NUMBER`.

    DuckDB takes a record with an empty field too many for a good one, so a column more is read than there are.
    """
    settings, header = source.settings, source.header()
    columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in [*header, "too_many"])
    encoding = ENCODINGS[settings.get("encoding", "utf-8")]
    cells = ", ".join(f"nullif(\"{name}\", '') AS \"{name}\"" for name in header)
    scan = (
        f"read_csv({text(str(source.folder / settings['path']))}, delim = {text(settings.get('delimiter', ','))}, quote = '\"',"
        f" escape = '\"', header = true, auto_detect = false, encoding = '{encoding}', columns = {{{columns}}}, nullstr = {text(ABSENT)},"
        f" null_padding = true, ignore_errors = true, store_rejects = true, rejects_table = 'refused_{number}',"
        f" rejects_scan = 'scan_{number}', rejects_limit = 0"
    )
    select = f"CREATE TEMP TABLE read_{number} AS SELECT {cells}, too_many IS NULL AND \"{header[-1]}\" IS NOT NULL AS complete FROM {scan}"
    try:
        connection.execute(f"{select})")
    except duckdb.Error:
        # With line ends inside quotes DuckDB pads records on one thread only.
        connection.execute(f"{select}, parallel = false)")


def flag(settings, name, is_readable):
    """A flag of an account, or whether its cell says what it is."""
    rule = settings.get(name)
    if rule is None:
        return "true" if is_readable else "false"
    cell = f"lower(trim(coalesce(\"{rule['column']}\", '')))"
    if "values" in rule:
        values = ", ".join(text(value.strip().lower()) for value in rule["values"])
        return "true" if is_readable else f"{cell} IN ({values})"
    said = "'true', 'yes', '1'" + (", 'false', 'no', '0', ''" if is_readable else "")
    return f"{cell} IN ({said})"


def staged(source, number):
    """The records of a source in the columns of accounts, and which of them can be used."""
    settings = source.settings
    separator = settings.get("multi_value_separator", ";")
    several = set(settings.get("multi_valued", []))
    merges = settings.get("merge_rows", False)
    native = f"\"{settings['native_identity']}\""

    def values(name):
        if merges:
            return f'list_sort(list(DISTINCT "{name}") FILTER ("{name}" IS NOT NULL))'
        if name in several:
            return f"list_filter(list_transform(string_split(\"{name}\", {text(separator)}), lambda v: trim(v)), lambda v: v <> '')"
        return f'CASE WHEN "{name}" IS NOT NULL THEN ["{name}"] END'

    def one(key):
        name = settings.get(key)
        if name is None:
            return "CAST(NULL AS VARCHAR)"
        return f'min("{name}")' if merges else f"CASE WHEN trim(\"{name}\") <> '' THEN \"{name}\" END"

    def is_flagged(name):
        told = flag(settings, name, False)
        return f"bool_or({told})" if merges else told

    names = settings.get("attributes") or source.header()
    entries = ", ".join(f"{{'key': {text(name)}, 'value': {values(name)}}}" for name in names)
    rights = ", ".join(f"coalesce({values(name)}, [])" for name in settings.get("entitlements", [])) or "CAST([] AS VARCHAR[])"
    name = one("name_column") if "name_column" in settings else native
    readable = " AND ".join(flag(settings, key, True) for key in ("disabled", "locked", "system", "privileged"))
    usable = f"complete AND trim({native}) <> '' AND {readable}"
    return f"""
SELECT {text(source.id)} AS source_id, {text(source.name)} AS source_name, {native} AS native_identity, {name} AS name,
  {one("display_name")} AS display_name, {one("uuid")} AS uuid, {is_flagged("disabled")} AS disabled,
  {is_flagged("locked")} AS locked, {is_flagged("system")} AS system, {is_flagged("privileged")} AS privileged,
  map_from_entries(list_filter([{entries}], lambda e: e.value IS NOT NULL)) AS attributes, flatten([{rights}]) AS entitlements
FROM read_{number} WHERE {usable} {f"GROUP BY {native}" if merges else ""}
""", usable


def read(connection, sources):
    """Leaves `staged_all` and `rejected_records`."""
    selects, refused = [], []
    for number, source in enumerate(sources):
        read_file(connection, source, number)
        select, usable = staged(source, number)
        selects.append(select)
        native = source.settings["native_identity"]
        columns = f"{text(source.id)} AS source_id, {text(source.name)} AS source_name"
        # Several things may be wrong with one line.
        refused.append(
            f"SELECT {columns}, line, CAST(NULL AS VARCHAR) AS native_identity, min(error_message) AS reason FROM refused_{number}"
            " GROUP BY line"
        )
        refused.append(
            f"SELECT {columns}, 0 AS line, \"{native}\" AS native_identity, 'not usable' AS reason FROM read_{number}"
            f" WHERE ({usable}) IS NOT TRUE"
        )
    connection.execute("CREATE TEMP TABLE staged_all AS " + " UNION ALL ".join(selects))
    connection.execute(STAGED_ROWS.format(refused=" UNION ALL ".join(refused)))


def transformed(mapping):
    """What a value is mapped from, and what comes of it."""
    if "value" in mapping:
        raw = text(mapping["value"])
    elif "template" in mapping:
        parts = []
        for part in mapping["template"].replace("}", "{").split("{"):
            parts.append(f"attributes[{text(part)}][1]" if len(parts) % 2 else text(part))
        raw = " || ".join(parts)
    else:
        raw = f"attributes[{text(mapping['from'])}][1]"
    raw = f"CASE WHEN trim({raw}) <> '' THEN {raw} END"
    value = raw
    for transform in mapping.get("transforms", []):
        if transform in ("trim", "lower", "upper"):
            value = f"{transform}({value})"
        elif "split" in transform:
            value = f"string_split({value}, {text(transform['split'])})[{transform['index'] + 1}]"
        elif "lookup" in transform:
            cases = " ".join(f"WHEN {text(key)} THEN {text(found)}" for key, found in transform["lookup"].items())
            other = text(transform["default"]) if "default" in transform else "NULL"
            value = f"CASE WHEN ({value}) IS NULL THEN NULL ELSE CASE {value} {cases} ELSE {other} END END"
        else:
            raise SystemExit(f"a transform that the sample does not use: {transform}")
    return raw, value


def mapped(source, rank):
    """The records of a profile with the identity attributes that it makes of them."""
    profile, life = source.profile, source.lifecycle
    raws, values = {}, {}
    for mapping in profile["attributes"]:
        raws[mapping["name"]], values[mapping["name"]] = transformed(mapping)
    columns = ", ".join(f'{value} AS "m_{name}", {raws[name]} AS "r_{name}"' for name, value in values.items())
    given = "m_firstname" if "firstname" in values else "NULL"
    shown = f"coalesce(m_displayName, CASE WHEN m_lastname IS NOT NULL THEN concat_ws(' ', {given}, m_lastname) END)"
    kept = {name: f'CASE WHEN trim("m_{name}") <> \'\' THEN "m_{name}" END' for name in values} | {"displayName": shown}
    found = f"attributes[{text(life['attribute'])}][1]"
    states = " ".join(f"WHEN {text(value)} THEN {text(state)}" for value, state in life["states"].items())
    statuses = " ".join(f"WHEN {text(state)} THEN {text(status)}" for state, status in life["status"].items())
    kept["cloudLifecycleState"] = "state"
    entries = ", ".join(f"{{'key': {text(name)}, 'value': CASE WHEN {value} IS NOT NULL THEN [{value}] END}}" for name, value in kept.items())
    failed = ", ".join(f'CASE WHEN "r_{name}" IS NOT NULL AND "m_{name}" IS NULL THEN {text(name)} END' for name in values)
    required = [mapping["name"] for mapping in profile["attributes"] if mapping.get("required")]
    lacking = ", ".join(f"CASE WHEN {kept[name]} IS NULL THEN {text(name)} END" for name in required)
    protected = ", ".join(text(name) for name in profile.get("protected", [])) or "''"
    return f"""
SELECT account_id, source_id, source_name, {rank} AS rank, {text(profile["name"])} AS profile, native_identity, account_attributes,
  native_identity IN ({protected}) AS protected, attributes, attributes['uid'][1] AS uid, attributes['manager'][1] AS manager,
  state, status, CASE WHEN status IS NULL THEN coalesce(state, found, '') END AS unmapped,
  CASE status WHEN 'ACTIVE' THEN 0 WHEN 'DISABLED' THEN 1 WHEN 'TERMINATED' THEN 2 ELSE 3 END AS place, failed, lacking
FROM (
  SELECT account_id, source_id, source_name, native_identity, account_attributes, state, found, CASE state {statuses} END AS status,
    map_from_entries(list_filter([{entries}], lambda e: e.value IS NOT NULL)) AS attributes,
    list_filter([{failed}], lambda name: name IS NOT NULL) AS failed, list_filter([{lacking}], lambda name: name IS NOT NULL) AS lacking
  FROM (
    SELECT id AS account_id, source_id, source_name, native_identity, attributes AS account_attributes, {found} AS found,
      CASE {found} {states} END AS state, {columns}
    FROM staged_one WHERE source_id = {text(source.id)}))
"""


def pairs(source, asking, asked="known"):
    """Pairs of an account and an identity that a rule of the source matches."""
    selects = []
    for order, rule in enumerate(source.rules):
        fold = "lower(trim({}))" if rule.get("ignore_case") else "trim({})"
        selects.append(f"""
SELECT DISTINCT {order} AS rule_order, {text(rule["identity_attribute"] + " = " + rule["account_attribute"])} AS rule,
  a.id AS account_id, i.id AS identity_id
FROM (SELECT id, {fold.format("raw")} AS v FROM (
    SELECT account_id AS id, unnest(attributes[{text(rule["account_attribute"])}]) AS raw FROM {asking}
    WHERE source_id = {text(source.id)}) WHERE trim(raw) <> '') a
JOIN (SELECT id, {fold.format("raw")} AS v FROM (
    SELECT id, unnest(attributes[{text(rule["identity_attribute"])}]) AS raw FROM {asked}) WHERE trim(raw) <> '') i ON a.v = i.v""")
    return selects


DECISIONS = """
CREATE OR REPLACE TEMP TABLE {name} AS
SELECT p.account_id, min(p.identity_id) AS identity_id, count(*) AS n, min(p.rule) AS rule, list_sort(list(p.identity_id)) AS candidates
FROM pairs p JOIN (SELECT account_id, min(rule_order) AS rule_order FROM pairs GROUP BY account_id) f
  ON f.account_id = p.account_id AND f.rule_order = p.rule_order
GROUP BY p.account_id
"""
NO_PAIRS = "SELECT 0 AS rule_order, '' AS rule, '' AS account_id, '' AS identity_id WHERE false"


def decide(connection, name, selects):
    """Leaves the table `name`: for each account what the first rule that matches it finds."""
    connection.execute("CREATE OR REPLACE TEMP TABLE pairs AS " + " UNION ALL ".join(selects or [NO_PAIRS]))
    connection.execute(DECISIONS.format(name=name))


def make_identities(connection, profiles):
    """Leaves `mapped`, `owned`, `open`, `best` and `known`, profile by profile."""
    selects = [mapped(source, rank) for rank, source in enumerate(profiles)]
    connection.execute("CREATE TEMP TABLE mapped AS " + " UNION ALL ".join(selects))
    connection.execute("CREATE TEMP TABLE owned (account_id VARCHAR, identity_id VARCHAR, matched_rule VARCHAR)")
    connection.execute("CREATE TEMP TABLE open_decisions (account_id VARCHAR, rule VARCHAR, candidates VARCHAR[])")
    for rank, source in enumerate(profiles):
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE asking AS SELECT account_id, source_id, native_identity, account_attributes AS attributes"
            f" FROM mapped WHERE rank = {rank} AND uid IS NOT NULL"
        )
        decide(connection, "decisions", pairs(source, "asking") if rank else [])
        connection.execute(
            "INSERT INTO owned SELECT a.account_id, coalesce(d.identity_id, stable_id('identity', a.source_id, a.native_identity)), d.rule"
            " FROM asking a LEFT JOIN decisions d ON d.account_id = a.account_id WHERE d.n IS NULL OR d.n = 1"
        )
        connection.execute("INSERT INTO open_decisions SELECT account_id, rule, candidates FROM decisions WHERE n > 1")
        connection.execute(IDENTITY_ROWS["best"])
        connection.execute(IDENTITY_ROWS["known"])


def make(folder, out):
    begun = start()
    connection = database()
    connection.execute("SET TimeZone = 'UTC'")
    for macro in MACROS:
        connection.execute(macro)
    sources = [Source(path) for path in sorted(folder.glob("*.toml"))]
    delimited = [source for source in sources if source.kind == "delimited"]
    profiles = sorted((source for source in delimited if source.profile), key=lambda source: source.profile["priority"])
    read(connection, delimited)
    make_identities(connection, profiles)
    connection.execute(
        "CREATE TEMP VIEW other AS SELECT id AS account_id, source_id, attributes FROM staged_one WHERE source_id NOT IN ("
        + ", ".join(text(source.id) for source in profiles)
        + ")"
    )
    decide(connection, "other_decisions", [pair for source in delimited if not source.profile for pair in pairs(source, "other")])
    for statement in ACCOUNT_ROWS:
        connection.execute(statement)
    rights = " UNION ALL ".join(
        f"SELECT {text(source.id)} AS source_id, {text(source.kind)} AS kind, {source.settings.get('entitlements', [])!r}::VARCHAR[] AS names"
        for source in delimited
    )
    rows = ", ".join(
        f"({text(source.id)}, {text(source.name)}, {text(source.kind)}, {bool(source.profile)}, {text(source.definition)})" for source in sources
    )
    connection.execute(f"CREATE TEMP TABLE sources AS SELECT * FROM (VALUES {rows}) t(id, name, kind, authoritative, definition)")
    rows = ", ".join(f"({text(s.id)}, {text(s.name)}, {text(s.profile['name'])}, {s.profile['priority']})" for s in profiles)
    connection.execute(f"CREATE TEMP TABLE identity_profiles AS SELECT * FROM (VALUES {rows}) t(source_id, source_name, profile, priority)")
    connection.execute(f"CREATE TEMP TABLE document_sources AS {rights}")
    for statement in DOCUMENTS:
        connection.execute(statement)
    given = ", ".join(text(str(s.folder / s.settings["path"])) for s in sources if s.kind == "documents")
    for table, kind in (("access_profile_documents", "accessprofile"), ("role_documents", "role")):
        connection.execute(f"CREATE TEMP VIEW {table} AS SELECT * FROM read_json([{given}], format = 'newline_delimited') WHERE _type = '{kind}'")
    counts = {}
    for table in TABLES:
        order = "ORDER BY id" if table in ("accounts", "identities", "identity_documents") else ""
        file = text(str(out / f"{table}.parquet"))
        counts[table] = connection.execute(f"COPY (SELECT * FROM {table} {order}) TO {file} (FORMAT parquet)").fetchone()[0]
    print(json.dumps({"peer": f"DuckDB {duckdb.__version__}", "rows": counts} | since(begun)))


def count(data):
    connection = database()
    files = {table: tables_of(data, table) for table in TABLES}
    counted = lambda table, where: connection.execute(f"SELECT count(*) FROM read_parquet({files[table]!r}) WHERE {where}").fetchone()[0]
    rows = {table: counted(table, "true") for table in TABLES if files[table]}
    live = {table: counted(table, LIVE.get(table, "true")) for table in rows}
    access = connection.execute(f'SELECT sum("accessCount") FROM read_parquet({files["identity_documents"]!r})').fetchone()[0]
    print(json.dumps({"rows": rows, "live": live, "access_items": int(access or 0)}))


def main():
    if sys.argv[1] == "count":
        count(Path(sys.argv[2]))
    else:
        out = Path(sys.argv[3])
        out.mkdir(parents=True, exist_ok=True)
        make(Path(sys.argv[2]), out)


main()
