//! What there is of schedules, notifications and results: rows of the database, and the files.

use super::rules::{File, Notice, Observed, Run, Task};
use crate::command;
use crate::database::rows;
use crate::failure::{Context, Failure, Result};
use crate::history::hex;
use crate::inspection::result_names;
use crate::installation::Installation;
use crate::receiver::Delivery;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::process::Command;

/// What there was before anything was broken.
pub struct Before {
    /// The number of the last task.
    last_task: i64,
    snapshots: i64,
}

impl Before {
    /// What there is now.
    pub fn of(installation: &Installation) -> Result<Self> {
        Ok(Self {
            last_task: number(installation, "SELECT coalesce(max(seq), 0) AS number FROM tasks")?,
            snapshots: number(installation, SNAPSHOTS)?,
        })
    }
}

const SNAPSHOTS: &str = "SELECT count(*) AS number FROM snapshots";

const RUNS: &str =
    "SELECT s.name AS schedule, r.due AS due, r.state AS state, r.task AS task, r.ended AS ended
    FROM schedule_runs r JOIN schedules s ON s.tenant = r.tenant AND s.id = r.schedule ORDER BY r.due";

const NOTICES: &str = "SELECT id, state, attempts, notice FROM notifications ORDER BY created, id";

const TASKS: &str =
    "SELECT t.seq AS seq, t.id AS id, t.state AS state, t.definition AS definition, t.notify AS notify,
        t.files AS files, l.hold AS hold, l.expired AS expired, l.removed AS removed
    FROM tasks t LEFT JOIN result_lives l ON l.tenant = t.tenant AND l.task = t.id ORDER BY t.seq";

const EVENTS: &str = "SELECT task, details FROM audit_events WHERE operation = 'result_expired'";

fn number(installation: &Installation, statement: &str) -> Result<i64> {
    let found = rows(installation, statement)?;
    let number = found.first().and_then(|row| row["number"].as_i64());
    number.ok_or_else(|| Failure::new(format!("{statement} gives no number")))
}

fn text(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_default().to_owned()
}

fn json_of(row: &Value, name: &str) -> Result<Value> {
    match row[name].as_str() {
        None => Ok(Value::Null),
        Some(text) => serde_json::from_str(text).context(|| format!("{name} is not JSON: {text}")),
    }
}

/// Reads rows and files of an installation on which nothing works.
pub fn observe(installation: &Installation, before: &Before) -> Result<Observed> {
    let runs = rows(installation, RUNS)?.iter().map(run).collect();
    let notices = rows(installation, NOTICES)?.iter().map(notice).collect::<Result<_>>()?;
    let mut tasks = rows(installation, TASKS)?;
    tasks.sort_by_key(|row| row["seq"].as_i64());
    let tasks = tasks.iter().map(|row| task(row, installation, before)).collect::<Result<_>>()?;
    let events = rows(installation, EVENTS)?;
    let snapshots = number(installation, SNAPSHOTS)? - before.snapshots;
    Ok(Observed {
        runs,
        notices,
        tasks,
        events: events.iter().map(|row| (text(row, "task"), text(row, "details"))).collect(),
        snapshots: usize::try_from(snapshots).context(|| "snapshots were removed".into())?,
        names: result_names(installation)?,
        ..Observed::default()
    })
}

fn run(row: &Value) -> Run {
    Run {
        schedule: text(row, "schedule"),
        due: row["due"].as_i64().unwrap_or_default(),
        state: text(row, "state"),
        task: row["task"].as_str().map(str::to_owned),
        ended: row["ended"].as_i64(),
    }
}

fn notice(row: &Value) -> Result<Notice> {
    let notice = json_of(row, "notice")?;
    let (schedule, task) = (&notice["data"]["schedule"], &notice["data"]["taskResultId"]);
    Ok(Notice {
        id: text(row, "id"),
        state: text(row, "state"),
        attempts: row["attempts"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or_default(),
        run: schedule.is_object().then(|| (text(schedule, "name"), text(schedule, "due"))),
        task: task.as_str().map(str::to_owned),
    })
}

fn task(row: &Value, installation: &Installation, before: &Before) -> Result<Task> {
    let mut files = Vec::new();
    for file in json_of(row, "files")?.as_array().into_iter().flatten() {
        let name = text(file, "stored_name");
        let bytes = std::fs::read(installation.results().join(&name)).ok();
        let found = bytes.map(|bytes| hex(&Sha256::digest(bytes)));
        files.push(File { sha256: text(file, "sha256"), found, name });
    }
    let notify = json_of(row, "notify")?;
    Ok(Task {
        id: text(row, "id"),
        state: text(row, "state"),
        definition: text(row, "definition"),
        is_earlier: row["seq"].as_i64().is_some_and(|seq| seq <= before.last_task),
        notifies: notify.as_array().is_some_and(|wishes| !wishes.is_empty()),
        files,
        is_held: !row["hold"].is_null(),
        expired: row["expired"].as_i64(),
        is_removed: !row["removed"].is_null(),
    })
}

/// Checks signatures of Standard Webhooks, and prints the ids of those that are wrong.
const SIGNATURES: &str = r#"
import base64, hashlib, hmac, json, sys
given = json.load(open(sys.argv[1]))
key = base64.b64decode(given["secret"].removeprefix("whsec_"))
wrong = []
for one in given["deliveries"]:
    signed = ".".join((one["id"], one["timestamp"], one["body"])).encode()
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    if expected not in one["signature"].split(" "):
        wrong.append(one["id"])
print(json.dumps(wrong))
"#;

/// Ids of the deliveries that are not signed with the receiver's secret.
pub fn forged(installation: &Installation, webhook: &str, deliveries: &[Delivery]) -> Result<Vec<String>> {
    let mut ask = installation.command();
    let shown = command::output(ask.args(["notification", "secret", webhook, "--output", "json"]))?;
    let secret: Value = serde_json::from_str(&shown).context(|| "the secret is not JSON".into())?;
    let one = |delivery: &Delivery| {
        let Delivery { id, timestamp, signature, body, .. } = delivery;
        json!({"id": id, "timestamp": timestamp, "signature": signature, "body": body})
    };
    let given =
        json!({"secret": secret["secret"], "deliveries": deliveries.iter().map(one).collect::<Vec<_>>()});
    let path = installation.log.with_extension("webhooks.json");
    std::fs::write(&path, given.to_string()).context(|| format!("{} cannot be written", path.display()))?;
    let wrong = command::output(Command::new("python3").args(["-c", SIGNATURES]).arg(&path));
    serde_json::from_str(&wrong?).context(|| "the checked signatures cannot be read".into())
}
