"""Does in DuckDB what the benchmark's searches do, over the same Parquet files.

    pip install duckdb
    python tests/bench/search_duckdb.py DATA_DIR

DATA_DIR is the data directory of a service. The newest version of its table `identity_documents` is read, with as many
threads as there are processors, and each result is written as CSV in the order of the ids. Prints one line for each query:
what, seconds (the median of three runs), rows. `cargo xtask bench --duckdb` runs this after its own searches.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import duckdb


def files_of(table):
    """The files of the newest version, by the table's log."""
    live = {}
    for entry in sorted((table / "_delta_log").glob("*.json")):
        for line in entry.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                live[action["add"]["path"]] = True
            elif "remove" in action:
                live.pop(action["remove"]["path"], None)
    return [str(table / path) for path in live]


def words(text):
    # An apostrophe within a word belongs to it, as in the search language.
    return f"string_split_regex(lower({text}), '[^\\p{{L}}\\p{{N}}_''’]+')"


SEARCHES = [
    (
        "selective",
        "SELECT id, displayName, email FROM documents"
        f" WHERE len(list_filter({words('displayName')}, lambda word: starts_with(word, 'a'))) > 0"
        f" AND len(list_filter(attributes['location'], lambda text: list_contains({words('text')}, 'berlin'))) > 0"
        " ORDER BY id",
    ),
    (
        "nested",
        "SELECT id, displayName, email FROM documents"
        " WHERE len(list_filter(accounts, lambda one: lower(one.source.name) = 'active directory' AND one.disabled)) > 0"
        " ORDER BY id",
    ),
    (
        "all, ten columns",
        "SELECT id, name, displayName, firstName, lastName, email, status, created, accountCount,"
        " array_to_string(attributes['location'], '; ') FROM documents ORDER BY id",
    ),
    (
        "a tenth, access.spread",
        "SELECT id, displayName, one.* FROM (SELECT id, displayName, unnest(CASE WHEN len(access) > 0 THEN access ELSE [NULL] END) AS one"
        " FROM documents WHERE id >= '0' AND id < '1a')"
        " ORDER BY id",
    ),
]


def main():
    files = files_of(Path(sys.argv[1]) / "tables" / "identity_documents")
    connection = duckdb.connect()
    connection.execute(f"SET threads = {os.cpu_count()}")
    connection.execute(f"CREATE VIEW documents AS SELECT * FROM read_parquet({files!r})")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.csv"
        for what, query in SEARCHES:
            times = []
            for _ in range(3):
                begun = time.perf_counter()
                rows = connection.execute(f"COPY ({query}) TO '{out}' (FORMAT csv, HEADER)").fetchone()[0]
                times.append(time.perf_counter() - begun)
            print(f"duckdb {duckdb.__version__}: {what:<26} {statistics.median(times):8.2f} s {rows:>10}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
