//! Inspects an installation from outside: rows of the database, read only, and digests of the result files.
//!
//! Python's own module `sqlite3` reads an SQLite database, and `psql` a PostgreSQL database, so the harness needs no
//! database library. The SQLite database of a running service is read in place. If the service is dead, the database's
//! log is copied first, because even a reader would recover it; the database's file gets a second name (a hard link) and
//! is opened for reading only, which writes nothing to it.

use crate::bucket::BucketFolder;
use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::history::{History, Inspection, Phase, Recorded, StoredFile, TaskRow, hex};
use crate::installation::{Installation, TRASH};
use crate::postgres;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The file that says whose results are in a bucket.
const BUCKET_MARK: &str = "installation";
/// How long PostgreSQL may continue the work of a dead process.
const PATIENCE: Duration = Duration::from_secs(300);

/// Prints `{"rows": [...], "downloads": [...]}`.
const SCRIPT: &str = r#"
import json, os, pathlib, shutil, sqlite3, sys, tempfile
data, dead = pathlib.Path(sys.argv[1]), sys.argv[2] == "Dead"
with tempfile.TemporaryDirectory(dir=data.parent) as copy:
    folder = data
    if dead:
        folder = pathlib.Path(copy)
        os.link(data / "muster.db", folder / "muster.db")
        if (data / "muster.db-wal").exists():
            shutil.copy(data / "muster.db-wal", folder / "muster.db-wal")
    base = sqlite3.connect("file:%s?mode=ro" % (folder / "muster.db"), uri=True, timeout=30)
    base.execute("BEGIN")
    fields = ("task", "tenant", "key", "state", "epoch", "created", "completed", "files")
    rows = [dict(zip(fields, row)) for row in base.execute(
        "SELECT id, tenant, dedup_key, state, epoch, created, completed, files FROM tasks"
        " WHERE seq > ? ORDER BY seq", (int(sys.argv[3]),))]
    downloads = base.execute(
        "SELECT task, count(*) FROM audit_events WHERE operation = 'download' GROUP BY task").fetchall()
    last = base.execute("SELECT coalesce(max(seq), 0) FROM tasks").fetchone()[0]
    sound = [row[0] for row in base.execute("PRAGMA quick_check")]
    base.close()
print(json.dumps({"rows": rows, "downloads": downloads, "sound": sound, "last": last}))
"#;

/// Whether installations can be inspected on this machine: Python must be there.
///
/// # Errors
/// When it is not.
pub fn is_possible() -> Result<()> {
    command::output(Command::new("python3").args(["-c", "import sqlite3"])).map(drop)
}

/// Inspects the tasks after the number `after` and adds an inspection to the history; the number of the last task.
///
/// # Errors
/// When the database cannot be read, or is damaged.
pub fn inspect(history: &History, installation: &Installation, phase: Phase, after: u64) -> Result<u64> {
    match installation.postgres() {
        Some((url, _)) => inspect_postgres(history, url, installation, phase, after),
        None => inspect_sqlite(history, installation, phase, after),
    }
}

fn inspect_sqlite(history: &History, of: &Installation, phase: Phase, after: u64) -> Result<u64> {
    let begun = history.moment();
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT]).arg(&of.data).arg(format!("{phase:?}")).arg(after.to_string());
    let seen = command::output(&mut python)?;
    add(history, begun, &seen, of, phase)
}

fn inspect_postgres(
    history: &History,
    url: &str,
    of: &Installation,
    phase: Phase,
    after: u64,
) -> Result<u64> {
    if phase == Phase::Dead {
        wait_until_disconnected(url)?;
    }
    let begun = history.moment();
    let query = format!(
        "SELECT json_build_object(
            'rows', (SELECT coalesce(json_agg(json_build_object(
                'task', id, 'tenant', tenant, 'key', dedup_key, 'state', state, 'epoch', epoch,
                'created', created, 'completed', completed, 'files', files::text) ORDER BY seq), '[]')
                FROM tasks WHERE seq > {after}),
            'downloads', (SELECT coalesce(json_agg(json_build_array(task, count)), '[]') FROM
                (SELECT task, count(*) FROM audit_events WHERE operation = 'download' GROUP BY task) AS events),
            'last', (SELECT coalesce(max(seq), 0) FROM tasks),
            'sound', json_build_array('ok'))"
    );
    let seen = postgres::ask(url, &query)?;
    add(history, begun, &seen, of, phase)
}

/// Waits until PostgreSQL has noticed that a process is dead: it may still execute what that process had sent.
fn wait_until_disconnected(url: &str) -> Result<()> {
    const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let begun = Instant::now();
    while postgres::ask(url, OTHERS)? != "0" {
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new(format!("a dead process is still at work after {PATIENCE:?}")));
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn add(history: &History, begun: u64, seen: &str, of: &Installation, phase: Phase) -> Result<u64> {
    let seen: Value = serde_json::from_str(seen).context(|| "rows cannot be read".into())?;
    if seen["sound"] != serde_json::json!(["ok"]) {
        return Err(Failure::new(format!("the database is damaged: {}", seen["sound"])));
    }
    let mut rows = Vec::new();
    for row in seen["rows"].as_array().into_iter().flatten() {
        rows.push(row_of(row, of, phase == Phase::Settled)?);
    }
    let downloads = seen["downloads"].as_array().into_iter().flatten();
    let downloads = downloads
        .map(|pair| (pair[0].as_str().unwrap_or_default().to_owned(), pair[1].as_u64().unwrap_or_default()))
        .collect();
    history.add_inspection(Inspection { begun, ended: history.moment(), phase, rows, downloads });
    Ok(seen["last"].as_u64().unwrap_or_default())
}

/// A file of a result, wherever results are; `None` if it is not there.
fn result_file(of: &Installation, name: &str) -> Result<Option<Vec<u8>>> {
    match (std::fs::read(of.results().join(name)), BucketFolder::of(of)) {
        (Ok(content), _) => Ok(Some(content)),
        (Err(_), Some(bucket)) => bucket.read(name),
        (Err(_), None) => Ok(None),
    }
}

fn row_of(row: &Value, of: &Installation, read_files: bool) -> Result<TaskRow> {
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let mut files = Vec::new();
    if let Some(list) = row["files"].as_str() {
        let list: Vec<Value> =
            serde_json::from_str(list).context(|| "a list of files cannot be read".into())?;
        for file in list {
            let name = file["stored_name"].as_str().unwrap_or_default().to_owned();
            let bytes = match read_files {
                true => result_file(of, &name)?,
                false => None,
            };
            files.push(StoredFile {
                sha256: file["sha256"].as_str().unwrap_or_default().into(),
                found: bytes.map(|bytes| hex(&Sha256::digest(bytes))),
                name,
            });
        }
    }
    Ok(TaskRow {
        task: text("task"),
        tenant: text("tenant"),
        key: text("key"),
        state: text("state"),
        epoch: row["epoch"].as_u64().unwrap_or_default(),
        created: row["created"].as_i64().unwrap_or_default(),
        completed: row["completed"].as_i64(),
        files,
    })
}

/// The names of the files in the folder of results and in their bucket, in order.
///
/// # Errors
/// When one of them cannot be listed.
pub fn result_names(installation: &Installation) -> Result<Vec<String>> {
    let folder = installation.results();
    let unreadable = || format!("{} cannot be listed", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).context(unreadable)? {
        let name = entry.context(unreadable)?.file_name().to_string_lossy().into_owned();
        if name != TRASH {
            names.push(name);
        }
    }
    if let Some(bucket) = BucketFolder::of(installation) {
        names.extend(bucket.names()?.into_iter().filter(|name| name != BUCKET_MARK));
    }
    names.sort();
    Ok(names)
}

/// A line for each file in the folder of results or in their bucket that no record names, in the last inspection of the history.
///
/// # Errors
/// When the folder cannot be listed.
pub fn unnamed_files(installation: &Installation, recorded: &Recorded, after: u64) -> Result<Vec<String>> {
    if after > 0 && recorded.inspections.is_empty() {
        return Ok(Vec::new());
    }
    let last = recorded.inspections.last().into_iter().flat_map(|inspection| &inspection.rows);
    let named: BTreeSet<&str> = last.flat_map(|row| &row.files).map(|file| file.name.as_str()).collect();
    // Tasks of the demo are earlier than the history.
    let earlier = |name: &str| {
        !recorded
            .inspections
            .iter()
            .flat_map(|inspection| &inspection.rows)
            .any(|row| name.starts_with(&row.task))
    };
    let mut faults = Vec::new();
    for name in result_names(installation)? {
        if name.ends_with(".tmp") || (!named.contains(name.as_str()) && !earlier(&name)) {
            faults.push(format!("file {name} is left, and no record names it"));
        }
    }
    Ok(faults)
}
