//! Looks at a data directory from outside: rows of the database, read only, and digests of the files.
//!
//! Python's own `sqlite3` module reads an SQLite file, and `psql` a PostgreSQL database, so this program needs no database library. A live service is read
//! beside; of a dead one the log is copied, because even a reader would recover it, and the file itself is opened by a
//! second name and for reading only, which writes nothing to it.

use super::history::{History, Look, Row, StoredFile, When, hex};
use super::postgres;
use crate::command;
use crate::failure::{Context, Failure, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long PostgreSQL may work on for a dead process.
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

/// Whether looks are possible here.
pub fn can_look() -> Result<()> {
    command::output(Command::new("python3").args(["-c", "import sqlite3"])).map(drop)
}

/// Looks at tasks behind the number `after` and adds what was seen; gives the number of the last task.
///
/// # Errors
/// When the database cannot be read, or is damaged.
pub fn look(history: &History, data: &Path, when: When, after: u64) -> Result<u64> {
    let begun = history.moment();
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT]).arg(data).arg(format!("{when:?}")).arg(after.to_string());
    let seen = command::output(&mut python)?;
    add(history, begun, &seen, data, when)
}

/// The same on a PostgreSQL database; `shared` is the folder with the files.
///
/// # Errors
/// When the database cannot be read.
pub fn look_postgres(history: &History, url: &str, shared: &Path, when: When, after: u64) -> Result<u64> {
    if when == When::Dead {
        wait_left(url)?;
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
    add(history, begun, &seen, shared, when)
}

/// Waits until PostgreSQL has noticed that a process is dead: what it had sent before may still be done.
fn wait_left(url: &str) -> Result<()> {
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

fn add(history: &History, begun: u64, seen: &str, folder: &Path, when: When) -> Result<u64> {
    let seen: Value = serde_json::from_str(seen).context(|| "rows cannot be read".into())?;
    if seen["sound"] != serde_json::json!(["ok"]) {
        return Err(Failure::new(format!("the database is damaged: {}", seen["sound"])));
    }
    let mut rows = Vec::new();
    for row in seen["rows"].as_array().into_iter().flatten() {
        rows.push(row_of(row, folder, when == When::Settled)?);
    }
    let downloads = seen["downloads"].as_array().into_iter().flatten();
    let downloads = downloads
        .map(|pair| (pair[0].as_str().unwrap_or_default().to_owned(), pair[1].as_u64().unwrap_or_default()))
        .collect();
    history.look(Look { begun, ended: history.moment(), when, rows, downloads });
    Ok(seen["last"].as_u64().unwrap_or_default())
}

fn row_of(row: &Value, data: &Path, read_files: bool) -> Result<Row> {
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let mut files = Vec::new();
    if let Some(list) = row["files"].as_str() {
        let list: Vec<Value> =
            serde_json::from_str(list).context(|| "a list of files cannot be read".into())?;
        for file in list {
            let name = file["stored_name"].as_str().unwrap_or_default().to_owned();
            let bytes = match read_files {
                true => std::fs::read(data.join("results").join(&name)).ok(),
                false => None,
            };
            files.push(StoredFile {
                sha256: file["sha256"].as_str().unwrap_or_default().into(),
                found: bytes.map(|bytes| hex(&Sha256::digest(bytes))),
                name,
            });
        }
    }
    Ok(Row {
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
