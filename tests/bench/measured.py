"""What the programs of this folder share: the files of a table, and what a process took."""

import json
import os
import time
from pathlib import Path


def tables_of(data, table):
    """The files of the newest version of a table in a data directory, by the table's log."""
    folder = Path(data) / "tables" / table
    live = {}
    for entry in sorted((folder / "_delta_log").glob("*.json")):
        for line in entry.read_text(encoding="utf-8").splitlines():
            action = json.loads(line)
            if "add" in action:
                live[action["add"]["path"]] = True
            elif "remove" in action:
                live.pop(action["remove"]["path"], None)
    return [str(folder / path) for path in live]


def text(value):
    """A text as SQL has it."""
    return "'" + value.replace("'", "''") + "'"


def database():
    """DuckDB in memory, with as many threads as there are processors."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {os.cpu_count()}")
    return connection


def start():
    """The moment from which `since` counts."""
    return time.perf_counter(), time.process_time()


def since(begun):
    """Seconds, and seconds of processor, since a start."""
    seconds, processor = begun
    return {"seconds": time.perf_counter() - seconds, "processor_seconds": time.process_time() - processor}
