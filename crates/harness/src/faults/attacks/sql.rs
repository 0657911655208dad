//! Custom reports whose SQL does not end, makes gigabytes out of nothing, or does more than read. Each is refused or ends.
//! A cancel ends its work, which the processor time of the service shows, not a clock. Other reports continue.

use super::{PATIENCE, once, said};
use crate::api::Api;
use crate::failure::{Context, Failure, Result};
use crate::installation::Installation;
use crate::server::Server;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Statements that are not queries: a service with one of them must not start.
const NO_QUERIES: [(&str, &str); 3] = [
    ("insert", "INSERT INTO accounts SELECT * FROM accounts"),
    ("copy", "COPY accounts TO 'copied.csv'"),
    ("external", "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'tables/accounts'"),
];

/// Queries that never end, or run for much longer than anybody waits.
const ENDLESS: [(&str, &str); 3] = [
    (
        "cross",
        "SELECT a.native_identity AS n FROM accounts a CROSS JOIN accounts b CROSS JOIN accounts c CROSS JOIN accounts d \
         WHERE concat(a.native_identity, b.native_identity, c.native_identity, d.native_identity) = ''",
    ),
    (
        "nothing",
        "SELECT a.native_identity AS n FROM accounts a JOIN accounts b ON a.native_identity <= b.native_identity \
         JOIN accounts c ON b.native_identity <= c.native_identity \
         JOIN accounts d ON concat(a.native_identity, b.native_identity, c.native_identity, d.native_identity) < ''",
    ),
    (
        "count",
        "SELECT max(concat(a.native_identity, b.native_identity, c.native_identity, d.native_identity)) AS n \
         FROM accounts a CROSS JOIN accounts b CROSS JOIN accounts c CROSS JOIN accounts d",
    ),
];

/// Queries that a limit ends before they give rows.
const BOUNDED: [(&str, &str); 5] = [
    (
        "recursion",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT CAST(n AS VARCHAR) AS n FROM r",
    ),
    (
        "multiplying",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT r.n + 1 FROM r CROSS JOIN accounts) \
         SELECT CAST(n AS VARCHAR) AS n FROM r",
    ),
    ("array", "SELECT CAST(array_length(range(0, 300000000)) AS VARCHAR) AS n"),
    ("text", "SELECT repeat('x', 2000000000) AS n"),
    (
        "gathered",
        "SELECT array_to_string(array_agg(concat(a.native_identity, b.native_identity, c.native_identity)), ',') AS n \
         FROM accounts a CROSS JOIN accounts b CROSS JOIN accounts c",
    ),
];

/// Memory that plans may hold.
const MEMORY: &str = "256MiB";
/// Memory that the whole process may hold, in KiB.
const MEMORY_MAX_KIB: u64 = 1 << 20;
/// Processor time that a query takes before it is cancelled, in ticks of a hundredth of a second.
const WORKED: u64 = 100;
/// Processor time that the service may take after the cancel, in ticks.
const QUIET_MAX: u64 = 500;
/// The process is quiet when so many checks in a row have found no thread that runs or waits for a processor.
const QUIET_LOOKS: u32 = 10;
/// Pause between two checks.
const CHECK_AGAIN: Duration = Duration::from_millis(20);

/// Runs each of them.
pub fn without_an_end(installation: &Installation) -> Result<()> {
    for (name, sql) in NO_QUERIES {
        refused(installation, name, sql)?;
    }
    let folder = installation.data.with_file_name("definitions");
    define(&folder, &[&ENDLESS[..], &BOUNDED].concat())?;
    let definitions = folder.to_string_lossy();
    let own = [
        ("MUSTER__REPORTS__DEFINITIONS", &*definitions),
        ("MUSTER__ENGINE__MEMORY_LIMIT", MEMORY),
        // The default: a report that finds no memory is tried again.
        ("MUSTER__WORKER__ATTEMPTS_MAX", "3"),
    ];
    let settings = [&once()[..], &own].concat();
    let server = installation.serve(&settings)?;
    let api = server.connect(&installation.user)?;
    for (name, _) in ENDLESS {
        let id = api.start_defined(name)?;
        let before = server.busy_ticks()?;
        let begun = Instant::now();
        while server.busy_ticks()? < before + WORKED {
            if let Some(outcome) = api.outcome(&id)? {
                return Err(Failure::new(format!("{name} ended with {} by itself", outcome.status)));
            }
            if begun.elapsed() > PATIENCE {
                return Err(Failure::new(format!("{name} does not work")));
            }
            sleep(CHECK_AGAIN);
        }
        go_on(installation, &server.connect(&installation.application)?, name)?;
        match api.cancel(&id)? {
            204 => falls_quiet(&server).context(|| format!("{name} was cancelled"))?,
            status => return Err(Failure::new(format!("the cancel of {name} is answered with {status}"))),
        }
    }
    for (name, _) in BOUNDED {
        let outcome = api.ended(&api.start_defined(name)?, PATIENCE)?;
        if outcome.has_file() {
            return Err(Failure::new(format!("{name} ended with {}", outcome.status)));
        }
        falls_quiet(&server).context(|| format!("{name} has ended"))?;
    }
    go_on(installation, &api, "all of them")?;
    let peak = server.peak_memory_kib()?;
    if peak > MEMORY_MAX_KIB {
        return Err(Failure::new(format!(
            "the process held {peak} KiB: expected at most {MEMORY_MAX_KIB} where plans may hold {MEMORY}"
        )));
    }
    server.kill()
}

/// A service with this report must refuse to start, and change nothing.
fn refused(installation: &Installation, name: &'static str, sql: &'static str) -> Result<()> {
    let folder = installation.data.join("refused");
    define(&folder, &[(name, sql)])?;
    let setting = format!("MUSTER__REPORTS__DEFINITIONS={}", folder.display());
    // A service that starts is ended after a minute.
    let under = ["timeout", "60", "env", &setting];
    match said(installation, &under, &["serve", "--listen", "127.0.0.1:0"])? {
        (Some(1), text) if text.contains("expected one SELECT") => {}
        (status, text) => {
            return Err(Failure::new(format!("a service with {name} ended with {status:?} and said {text}")));
        }
    }
    match installation.data.join("copied.csv").exists() {
        true => Err(Failure::new(format!("{name} has written a file"))),
        false => Ok(()),
    }
}

/// Writes a definition for each query to a folder without other definitions.
fn define(folder: &Path, queries: &[(&str, &str)]) -> Result<()> {
    let unwritten = || format!("definitions cannot be written to {}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(folder).context(unwritten)?;
    }
    std::fs::create_dir(folder).context(unwritten)?;
    for (name, sql) in queries {
        let definition = format!(
            "id = \"{name}\"\nversion = 1\nname = \"{name}\"\ndescription = \"An attack.\"\nrow = \"a row\"\n\
             formats = [\"CSV\"]\norder_by = [\"n\"]\nquery = '''{sql}'''\n\
             population = 'SELECT count(*) FROM accounts'\n\
             [[columns]]\nname = \"n\"\nlabel = \"N\"\nmeaning = \"A text.\"\n"
        );
        std::fs::write(folder.join(format!("{name}.toml")), definition).context(unwritten)?;
    }
    Ok(())
}

/// The fixed reports must end with a file during, or after, what `during` names.
fn go_on(installation: &Installation, api: &Api, during: &str) -> Result<()> {
    for report in installation.reports() {
        let outcome = api.ended(&api.start(&report)?, PATIENCE)?;
        if !outcome.has_file() {
            let what = format!("{} ended with {} during {during}", report.kind, outcome.status);
            return Err(Failure::new(what));
        }
    }
    Ok(())
}

/// Waits until no thread of the service works. Until then it may take at most [`QUIET_MAX`].
fn falls_quiet(server: &Server) -> Result<()> {
    let (before, mut quiet) = (server.busy_ticks()?, 0);
    while quiet < QUIET_LOOKS {
        let ticks = server.busy_ticks()? - before;
        if ticks > QUIET_MAX {
            let seconds = Duration::from_millis(10 * ticks);
            return Err(Failure::new(format!(
                "the service works on, for {seconds:?} of processor time so far"
            )));
        }
        quiet = if server.is_at_work()? { 0 } else { quiet + 1 };
        sleep(CHECK_AGAIN);
    }
    Ok(())
}
