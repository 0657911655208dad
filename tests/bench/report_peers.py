"""Runs the queries of reports in another engine over the same Parquet files, and writes CSV.

    pip install duckdb polars chdb datafusion
    python tests/bench/report_peers.py link DATA_DIR FOLDER
    python tests/bench/report_peers.py PEER QUERY FOLDER OUT.csv [SOURCE_ID [ATTRIBUTE ...]]
    python tests/bench/report_peers.py digest FILE

`link` links the newest version of the tables of a data directory into FOLDER/TABLE. PEER is `duckdb`, `polars`, `chdb` or
`datafusion`; QUERY is one of those in `report_queries.py`. The queries have the order of the reports. ATTRIBUTEs are the
attributes for which ACCOUNTS and IDENTITIES have a column. Polars gets expressions of its own.

`digest` counts the rows of a CSV file, or of the CSV files in a zip archive, and sums their hashes, in any order. Times are
compared to the millisecond, booleans without case, and the apostrophe is removed that guards a formula.

Each prints one line of JSON. Seconds are from opening the tables to the end of the CSV file; `synced_seconds` are with
`sync -f` of that file.
"""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from measured import database, since, start, tables_of, text
from report_queries import ACCESS, BEGINS_WITH_A, HAS_BERLIN, TEN, TENTH, ClickHouse, DataFusion, DuckDb, queries

TABLES = ["accounts", "identities", "identity_documents"]


def link(data, folder):
    for table in TABLES:
        (folder / table).mkdir(parents=True, exist_ok=True)
        for number, file in enumerate(tables_of(data, table)):
            os.link(file, folder / table / f"{number:05}.parquet")
    print(json.dumps({"tables": TABLES}))


def by_duckdb(query, folder, out, source, attributes):
    connection = database()
    for table in TABLES:
        connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet({text(str(folder / table / '*.parquet'))})")
    connection.execute(f"COPY ({queries(DuckDb(), source, attributes)[query]}) TO {text(out)} (FORMAT csv, HEADER)")


def by_datafusion(query, folder, out, source, attributes):
    from datafusion import SessionContext

    context = SessionContext()
    for table in TABLES:
        context.register_parquet(table, str(folder / table))
    sql = queries(DataFusion(), source, attributes)[query]
    context.sql(f"COPY ({sql}) TO {text(out)} STORED AS CSV OPTIONS ('format.has_header' 'true')").collect()


def by_chdb(query, folder, out, source, attributes):
    from chdb.session import Session

    session = Session()
    for table in TABLES:
        session.query(f"CREATE VIEW {table} AS SELECT * FROM file({text(str(folder / table / '*.parquet'))}, Parquet)")
    sql = queries(ClickHouse(), source, attributes)[query]
    settings = "join_use_nulls = 1, format_csv_null_representation = ''"
    session.query(f"{sql} INTO OUTFILE {text(out)} TRUNCATE FORMAT CSVWithNames SETTINGS {settings}")


def by_polars(query, folder, out, source, attributes):
    import polars as pl

    scan = lambda table: pl.scan_parquet(str(folder / table / "*.parquet"))
    col = pl.col

    def attribute(name):
        return col("attributes").map.get(name).list.join("; ").alias(f"attributes.{name}")

    accounts = scan("accounts").filter(col("dead_since").is_null())
    owners = scan("identities").select(
        col("id").alias("identity_id"), col("name").alias("identityName"), col("display_name").alias("identityDisplayName")
    )
    documents = scan("identity_documents")
    if query == "accounts":
        fixed = "native_identity name source_id source_name identity_id identityName identityDisplayName correlated manually_correlated"
        fixed += " situation disabled locked system entitlement_count created modified"
        rows = accounts.filter(col("source_id") == source).join(owners, on="identity_id", how="left")
        rows = rows.with_columns((~col("uncorrelated")).alias("correlated")).sort("name", "native_identity", nulls_last=True)
        rows = rows.select([col(name) for name in fixed.split()] + [attribute(name) for name in attributes])
    elif query == "identities":
        fixed = "id name display_name first_name last_name email profile authoritative_source lifecycle_state status correlated"
        fixed += " manager_name account_count created modified"
        rows = scan("identities").sort("name", "id", nulls_last=True)
        rows = rows.select([col(name) for name in fixed.split()] + [attribute(name) for name in attributes])
    elif query == "details":
        mine = "id name display_name first_name last_name email profile authoritative_source lifecycle_state status correlated"
        mine = (mine + " manager_name account_count").split()
        theirs = "source_id source_name id name native_identity disabled locked privileged manually_correlated entitlements"
        theirs = (theirs + " created modified").split()
        right = accounts.select([col("identity_id")] + [col(name).alias(f"a_{name}") for name in theirs])
        right = right.with_columns(col("a_entitlements").list.join("; "))
        rows = scan("identities").select(mine).join(right, left_on="id", right_on="identity_id", how="left")
        rows = rows.sort("name", "id", "a_source_name", "a_native_identity", "a_id", nulls_last=True)
    elif query == "uncorrelated":
        rows = accounts.filter(~col("system") & col("uncorrelated")).join(owners, on="identity_id", how="left")
        rows = rows.sort("source_name", "native_identity", "id").select(
            col("native_identity"),
            col("display_name"),
            col("identityName"),
            col("source_name").alias("type"),
            *(col(name) for name in ["source_id", "source_name", "situation"]),
            col("candidates").list.join("; "),
            *(col(name) for name in ["disabled", "created", "modified"]),
        )
    elif query == "search-selective":
        is_found = col("displayName").str.to_lowercase().str.contains(BEGINS_WITH_A)
        is_found &= attribute("location").str.to_lowercase().str.contains(HAS_BERLIN)
        rows = documents.filter(is_found).sort("id").select("id", "displayName", "email")
    elif query == "search-nested":
        one = pl.element().struct
        is_one = (one.field("source").struct.field("name").str.to_lowercase() == "active directory") & one.field("disabled")
        rows = documents.filter(col("accounts").list.eval(is_one).list.any()).sort("id").select("id", "displayName", "email")
    elif query == "search-everything":
        rows = documents.sort("id").select([col(name) for name in TEN] + [attribute("location")])
    else:
        field = lambda path: _inside(col("access"), path.split(".")).alias(f"access.{path}")
        rows = documents.filter((col("id") >= TENTH[0]) & (col("id") < TENTH[1])).sort("id")
        rows = rows.select("id", "displayName", "access").explode("access")
        rows = rows.select([col("id"), col("displayName")] + [field(path) for path in ACCESS])
    rows.sink_csv(out)


def _inside(column, path):
    for part in path:
        column = column.struct.field(part)
    return column


TIME = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d(:?\d\d)?|Z)?$"
# The part of a guarded cell that docs/files.md describes.
UNSEEN = r"[\x00-\x20\x7f-\xa0\x{ad}\x{200b}-\x{200f}\x{3000}\x{feff}]*"
GUARDED = rf"^'('*(?:{UNSEEN}[=+@\-\x{{ff1d}}\x{{ff0b}}\x{{ff0d}}\x{{ff20}}\x{{2212}}]|[\x00-\x1f\x7f-\x9f]))"


def digest(file):
    """Rows, and the sum of their hashes."""
    with tempfile.TemporaryDirectory(dir=Path(file).parent) as folder:
        if file.endswith(".zip"):
            with zipfile.ZipFile(file) as archive:
                files = [archive.extract(name, folder) for name in archive.namelist() if name.endswith(".csv")]
        else:
            files = [file]
        connection = database()
        rows, total = 0, 0
        for file in files:
            scan = f"read_csv({text(file)}, delim = ',', quote = '\"', escape = '\"', header = true, all_varchar = true, auto_detect = true"
            scan += ", nullstr = '', max_line_size = 33554432, parallel = false)"
            columns = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()]
            # A time that has no zone is in UTC, and three digits of its fraction count.
            cell = (
                "CASE WHEN regexp_matches({c}, " + text(TIME) + ") THEN strftime(CAST(regexp_replace({c}, '([+-]00(:?00)?|Z)$', '') AS"
                " TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%g') WHEN {c} IN ('True', 'False') THEN lower({c})"
                " ELSE regexp_replace(coalesce({c}, ''), " + text(GUARDED) + ", '\\1') END"
            )
            cells = ", ".join(cell.replace("{c}", '"' + name.replace('"', '""') + '"') for name in columns)
            counted = connection.execute(f"SELECT count(*), coalesce(sum(hash(concat_ws(chr(31), {cells}))), 0) FROM {scan}").fetchone()
            rows, total = rows + counted[0], total + int(counted[1])
    print(json.dumps({"rows": rows, "digest": f"{total % (1 << 128):032x}"}))


PEERS = {"duckdb": by_duckdb, "polars": by_polars, "chdb": by_chdb, "datafusion": by_datafusion}
PACKAGES = {"duckdb": "DuckDB", "polars": "Polars", "chdb": "chDB", "datafusion": "DataFusion"}


def main():
    peer, arguments = sys.argv[1], sys.argv[2:]
    if peer == "link":
        return link(Path(arguments[0]), Path(arguments[1]))
    if peer == "digest":
        return digest(arguments[0])
    query, folder, out, source, *attributes = [*arguments, ""] if len(arguments) == 3 else arguments
    package = __import__(peer)
    begun = start()
    PEERS[peer](query, Path(folder), out, source, attributes)
    took = since(begun)
    subprocess.run(["sync", "-f", out], check=True)
    synced = since(begun)["seconds"]
    print(json.dumps({"peer": f"{PACKAGES[peer]} {package.__version__}", "bytes": os.path.getsize(out), "synced_seconds": synced} | took))


main()
