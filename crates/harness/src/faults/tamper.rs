//! What somebody can do who may write to the database and has no key, and what an accident can do.
//!
//! On copies of one installation, audit events are changed and hashed again, or wiped; the database is lost, or another
//! database is with the files. Nothing may be recorded after a forgery, each forgery must be found, and no file may be
//! removed.

use crate::command;
use crate::copies::copy_installation;
use crate::failure::{Context, Failure, Result};
use crate::installation::{Installation, SETTINGS, muster, muster_under};
use crate::progress::UnitOutcome;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The count of attacks.
pub const ATTACKS: &str = "attacks";

/// Changes the trail: `forge` rewrites the second event, and hashes it, all later events and the head again; `wipe` removes
/// the trail.
const SCRIPT: &str = r#"
import hashlib, sqlite3, struct, sys
base = sqlite3.connect(sys.argv[1])
for trigger in ("audit_events_never_change", "audit_events_are_never_deleted"):
    base.execute("DROP TRIGGER " + trigger)
if sys.argv[2] == "wipe":
    base.executescript("DELETE FROM audit_events; DELETE FROM audit_heads")
else:
    previous = "0" * 64
    for (sequence, *parts) in base.execute("SELECT sequence, id, at, operation, tenant, caller, task, report, details"
            " FROM audit_events WHERE tenant = 'default' ORDER BY sequence").fetchall():
        if sequence == 2:
            parts[-1] = "forged"
        hashed = hashlib.sha256()
        for part in ("muster audit event 1", str(sequence), previous, *map(str, parts)):
            part = part.encode()
            hashed.update(struct.pack(">Q", len(part)) + part)
        base.execute("UPDATE audit_events SET details = ?, previous = ?, hash = ? WHERE tenant = 'default'"
            " AND sequence = ?", (parts[-1], previous, hashed.hexdigest(), sequence))
        previous = hashed.hexdigest()
    base.execute("UPDATE audit_heads SET hash = ? WHERE tenant = 'default'", (previous,))
base.commit()
"#;

/// How long a service may take until it answers, or refuses to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs all attacks, on copies in `folder`.
pub fn run(installation: &Installation, folder: &Path) -> UnitOutcome {
    let mut outcome = UnitOutcome::default();
    for (name, attack) in [
        ("a forged trail", forged as fn(&Installation) -> Result<()>),
        ("a wiped trail", wiped),
        ("a lost database", lost),
        ("another database", another),
    ] {
        outcome.add(ATTACKS, 1);
        let done = copy_installation(installation, folder, None, "").and_then(|copy| attack(&copy));
        if let Err(failure) = done {
            outcome.faults.push(format!("{name}: {failure}"));
        }
    }
    outcome
}

fn forged(installation: &Installation) -> Result<()> {
    tamper(installation, "forge")?;
    // The service answers and is not ready; it refuses a start with a reason.
    let mut server = installation.spawn(&SETTINGS)?;
    let begun = Instant::now();
    let api = loop {
        match server.connect(&installation.user) {
            Ok(api) => break api,
            Err(failure) if begun.elapsed() > PATIENCE => return Err(failure),
            Err(failure) if server.ends_within(Duration::from_millis(20)) => return Err(failure),
            Err(_) => {}
        }
    };
    if crate::api::is_ready(&server.base) {
        return Err(Failure::new("the service is ready"));
    }
    let report = &installation.reports()[4];
    match api.start(report) {
        Err(crate::api::Trouble::Wrong(text)) if text.contains("the audit trail is broken") => {}
        other => return Err(Failure::new(format!("a start gave {other:?}"))),
    }
    server.stop()?;
    found(installation, 1, "is not sealed with this service's key")?;
    // A person lets the trail continue; every later check shows the break.
    let reseal = ["audit", "reseal", "--reason", "tampered with on purpose", "--confirm"];
    command::output(muster(&installation.binary, &installation.data).args(reseal))?;
    installation.serve(&SETTINGS)?.stop()?;
    found(installation, 3, "was    the trail's head is not sealed with this service's key")
}

fn wiped(installation: &Installation) -> Result<()> {
    tamper(installation, "wipe")?;
    // A service that continues records further events, which hide nothing.
    installation.serve(&SETTINGS)?.stop()?;
    found(installation, 1, "tasks have no event of their beginning")
}

fn lost(installation: &Installation) -> Result<()> {
    let before = files(installation)?;
    remove_database(installation)?;
    refused(installation, &["serve", "--listen", "127.0.0.1:0"], "without its database")?;
    refused(installation, &["serve", "--init", "--listen", "127.0.0.1:0"], "the database is empty")?;
    refused(installation, &["refresh"], "the database is empty")?;
    same(&before, &files(installation)?)
}

fn another(installation: &Installation) -> Result<()> {
    let before = files(installation)?;
    remove_database(installation)?;
    let elsewhere = installation.data.with_file_name("elsewhere");
    if elsewhere.exists() {
        std::fs::remove_dir_all(&elsewhere).context(|| "the other folder cannot be removed".into())?;
    }
    let who = ["client", "create", "--kind", "application", "--name", "a", "--scope", "sp:scopes:all"];
    command::output(muster(&installation.binary, &elsewhere).args(who))?;
    // A command may end before its last commits are in the database's own file.
    for name in DATABASE_FILES {
        let from = elsewhere.join(name);
        if from.exists() {
            std::fs::copy(&from, installation.data.join(name))
                .context(|| format!("{} cannot be copied", from.display()))?;
        }
    }
    refused(installation, &["serve", "--listen", "127.0.0.1:0"], "belong to different installations")?;
    refused(installation, &["refresh"], "belong to different installations")?;
    same(&before, &files(installation)?)
}

fn tamper(installation: &Installation, how: &str) -> Result<()> {
    let database = installation.data.join("muster.db");
    command::output(Command::new("python3").args(["-c", SCRIPT]).arg(database).arg(how)).map(drop)
}

/// The files of an SQLite database. All but the first may be missing.
const DATABASE_FILES: [&str; 3] = ["muster.db", "muster.db-wal", "muster.db-shm"];

fn remove_database(installation: &Installation) -> Result<()> {
    for name in DATABASE_FILES {
        let path = installation.data.join(name);
        if path.exists() {
            std::fs::remove_file(&path).context(|| format!("{} cannot be removed", path.display()))?;
        }
    }
    Ok(())
}

/// `audit verify` must end with this status and print this.
fn found(installation: &Installation, status: i32, what: &str) -> Result<()> {
    let output = muster(&installation.binary, &installation.data).args(["audit", "verify"]).output();
    let output = output.context(|| "muster audit verify cannot be run".into())?;
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(code) if code == status && said.contains(what) => Ok(()),
        _ => Err(Failure::new(format!("audit verify ended with {} and said {said}", output.status))),
    }
}

/// A command must end with status 1 and print this.
fn refused(installation: &Installation, arguments: &[&str], what: &str) -> Result<()> {
    let timed = ["timeout".to_owned(), PATIENCE.as_secs().to_string()];
    let mut command = muster_under(&timed, &installation.binary, &installation.data);
    let output = command.args(arguments).output().context(|| "the command cannot be run".into())?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(1) if said.contains(what) => Ok(()),
        _ => Err(Failure::new(format!(
            "muster {} ended with {} and said {said}",
            arguments.join(" "),
            output.status
        ))),
    }
}

/// The paths of all files of results and tables.
fn files(installation: &Installation) -> Result<BTreeSet<String>> {
    let mut found = Command::new("find");
    found.arg(installation.data.join("results")).arg(installation.data.join("tables")).args(["-type", "f"]);
    Ok(command::output(&mut found)?.lines().map(str::to_owned).collect())
}

fn same(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Result<()> {
    match before.difference(after).next() {
        Some(file) => Err(Failure::new(format!("{file} is gone"))),
        None if before.is_empty() => Err(Failure::new("there were no files")),
        None => Ok(()),
    }
}
