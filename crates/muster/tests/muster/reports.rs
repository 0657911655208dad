//! Reports as a person runs them, with every command a process of its own.

use crate::mirror::Serving;
use crate::{command, fails, json, muster, path, people, succeeds};
use muster_testkit::servers::smtpd::{Mode, Smtpd};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A data directory with a snapshot of [`people`], and a service over it.
pub struct Installation {
    pub dir: tempfile::TempDir,
    pub data: PathBuf,
    source: String,
    pub service: Serving,
}

impl Installation {
    pub fn new(workers: u32) -> Self {
        Self::with_settings(workers, "")
    }

    /// As [`Installation::new`], with settings as a TOML text.
    fn with_settings(workers: u32, settings: &str) -> Self {
        let dir = people();
        let data = dir.path().join("data");
        std::fs::write(path(&dir, "people.csv"), "id,name\n1,Ada\n3,Cy\n").unwrap();
        succeeds(&muster(&data, &["source", "add", &path(&dir, "people.toml")]));
        succeeds(&muster(&data, &["refresh"]));
        let source = json(&muster(&data, &["source", "list", "--output", "json"]))[0]["id"].clone();
        let arguments = ["client", "create", "--kind", "user", "--name", "ada", "--level", "ORG_ADMIN"];
        let client = json(&muster(&data, &[&arguments[..], &["--scope", "sp:scopes:all"]].concat()));
        std::fs::write(data.join("muster.toml"), settings).unwrap();
        let service = Serving::start(&data, &client, workers);
        Self { dir, data, source: source.as_str().unwrap().to_owned(), service }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let client: Vec<&str> = self.service.client.iter().map(String::as_str).collect();
        command(&self.data, &[&["report"], arguments, &client].concat())
    }

    pub fn report(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

/// The id in `report ID is started`.
pub fn started(line: &str) -> &str {
    let id = line.trim_end().strip_prefix("report ").and_then(|rest| rest.strip_suffix(" is started"));
    id.unwrap_or_else(|| panic!("{line:?} has no id"))
}

#[test]
fn a_report_says_why_it_warns_and_its_file_replaces_no_other() {
    let installation = Installation::new(2);
    let application = format!("application={}", installation.source);
    let run = ["run", "ACCOUNTS", "--argument", &application, "--argument", "sourceName=Pets", "--wait"];
    let ran = installation.report(&run);
    let told = String::from_utf8(ran.stderr.clone()).unwrap();
    let id = started(&told);
    let why = "warning: argument \"sourceName\" is \"Pets\", but the source";
    assert!(succeeds(&ran).contains(why), "{ran:?}");
    assert!(succeeds(&installation.report(&["result", id])).contains(why));
    assert!(succeeds(&installation.report(&["list"])).contains(why));
    let result = json(&installation.report(&["result", id, "--output", "json"]));
    let keys: Vec<_> = result["messages"].as_array().unwrap().iter().map(|message| &message["key"]).collect();
    assert!(keys.contains(&&"source_name_differs".into()), "{result}");

    assert_eq!(succeeds(&installation.report(&["get", id])), "Account Export.csv\n");
    let file = installation.dir.path().join("Account Export.csv");
    assert!(std::fs::read_to_string(&file).unwrap().contains("Ada"));
    std::fs::write(&file, "mine").unwrap();
    assert!(fails(&installation.report(&["get", id]), 1).contains("is there already and stays as it is"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    succeeds(&installation.report(&["get", id, "--force"]));
    assert!(std::fs::read_to_string(&file).unwrap().contains("Ada"));
    let left = std::fs::read_dir(installation.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let parts: Vec<_> = left.filter(|name| name.to_string_lossy().ends_with(".part")).collect();
    assert!(parts.is_empty(), "{parts:?}");
}

#[test]
fn arguments_are_what_the_definition_says() {
    let installation = Installation::new(2);
    let wrong = installation.report(&["run", "IDENTITIES", "--argument", "correlatedonly=true"]);
    assert!(fails(&wrong, 2).contains("the nearest name is \"correlatedOnly\""));
    let query = ["run", "SEARCH_EXPORT", "--argument", "query=\"Ada\"", "--wait"];
    let ran = installation.report(&query);
    succeeds(&ran);
    let told = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(succeeds(&installation.report(&["get", started(&told)])), "Search Export.zip\n");
    // A number is a text too: a request in which somebody types one is valid.
    succeeds(&installation.report(&["run", "SEARCH_EXPORT", "--argument", "query=5", "--wait"]));
    let unknown = "0".repeat(32);
    assert!(fails(&installation.report(&["result", &unknown]), 5).contains("there is no report"));
}

/// No worker: the report waits for ever.
#[test]
fn the_kinds_of_a_service_have_the_reports_that_it_keeps() {
    let installation = Installation::new(2);
    let ids = |kinds: &Output| {
        let kinds: Vec<Value> = json(kinds).as_array().unwrap().clone();
        kinds.iter().map(|kind| kind["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let listed = || installation.report(&["list-kinds", "--output", "json"]);
    let before = ids(&listed());
    assert_eq!(before, ids(&muster(&installation.data, &["report", "list-kinds", "--output", "json"])));
    let example = crate::definitions::example("holders-of-rights.toml");
    succeeds(&muster(&installation.data, &["definition", "add", &example]));
    // Another process looks for what is kept every two seconds.
    let after = awaited("the report that is kept", || {
        Some(ids(&listed())).filter(|ids| ids.contains(&"HOLDERS_OF_RIGHTS".to_owned()))
    });
    assert_eq!(after.len(), before.len() + 1);
}

#[test]
fn an_interrupted_wait_says_that_the_report_runs_on() {
    let installation = Installation::new(0);
    let mut waiting = installation
        .command(&["run", "IDENTITIES", "--wait"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(waiting.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    let id = started(&line).to_owned();
    let killed = Command::new("kill").args(["-INT", &waiting.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(waiting.wait().unwrap().code(), Some(1));
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    assert_eq!(
        rest,
        format!(
            "error: the report runs on (`muster report result {id}` shows what becomes of it, `muster report cancel {id}` \
             ends it): the wait was interrupted\n"
        )
    );
    let result = json(&installation.report(&["result", &id, "--output", "json"]));
    assert!(result["status"].is_null(), "{result}");
}

impl Installation {
    pub fn muster(&self, arguments: &[&str]) -> Output {
        muster(&self.data, arguments)
    }

    /// The last run of a schedule, once it has ended.
    fn last_run(&self, schedule: &str) -> Value {
        for _ in 0..600 {
            let shown = json(&self.muster(&["schedule", "show", schedule, "--output", "json"]));
            match shown["runs"][0]["state"].as_str() {
                None | Some("waiting" | "started") => {
                    std::thread::sleep(std::time::Duration::from_millis(100))
                }
                Some(_) => return shown["runs"][0].clone(),
            }
        }
        panic!("the run of {schedule} did not end within a minute")
    }

    fn results(&self) -> usize {
        let entries = std::fs::read_dir(self.data.join("results")).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().path().is_file()).count()
    }
}

/// The service makes the runs; the commands make, show and change the schedules.
#[test]
fn schedules_have_reports_run_and_refreshes_made() {
    let installation = Installation::new(2);
    let client = installation.service.client[3].as_str();
    let cron = ["--cron", "0 6 1 1 *", "--time-zone", "Europe/Berlin"];
    let add = |name: &str, what: &[&str]| {
        installation.muster(&[&["schedule", "add", name], what, &cron[..]].concat())
    };
    let what =
        ["--report", "IDENTITIES", "--argument", "correlatedOnly=false", "--refresh", "--client", client];
    let told = succeeds(&add("New year", &what));
    assert!(
        told.contains("schedule \"New year\" is added; it is due next at 20")
            && told.contains("-01-01T05:00:00Z")
    );
    succeeds(&add("Refresh", &["--refresh"]));
    for (what, expected) in [
        (&["--refresh"][..], "there is a schedule \"Refresh\" already"),
        (&["--report", "IDENTITIS", "--client", client], "there is no report \"IDENTITIS\""),
        (&["--report", "IDENTITIES", "--client", "nobody"], "there is no client \"nobody\""),
    ] {
        let refused = add("Refresh", what);
        let refused = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.contains(expected), "{refused}");
    }
    let snapshots = || json(&installation.muster(&["snapshot", "list", "--output", "json"]));
    assert_eq!(snapshots().as_array().unwrap().len(), 1);

    succeeds(&installation.muster(&["schedule", "run", "New year"]));
    let run = installation.last_run("New year");
    assert_eq!((&run["state"], &run["attempts"]), (&"succeeded".into(), &1.into()), "{run}");
    let id = run["taskResultId"].as_str().unwrap();
    let result = json(&installation.report(&["result", id, "--output", "json"]));
    let message = result["messages"][0]["localizedText"].as_str().unwrap();
    assert!(message.starts_with("run of the schedule \"New year\", due at 20"), "{message}");
    assert_eq!(snapshots().as_array().unwrap().len(), 2, "a refresh was made first");
    succeeds(&installation.muster(&["schedule", "pause", "Refresh"]));
    succeeds(&installation.muster(&["schedule", "run", "Refresh"]));
    assert_eq!(installation.last_run("Refresh")["state"], "succeeded");
    assert_eq!(snapshots().as_array().unwrap().len(), 3);

    let list = succeeds(&installation.muster(&["schedule", "list"]));
    let lines: Vec<_> =
        list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(lines[1].starts_with("New year refresh, IDENTITIES ada 0 6 1 1 * Europe/Berlin 20"), "{list}");
    assert!(
        lines[2].contains("0 6 1 1 * Europe/Berlin paused 20") && lines[2].ends_with("succeeded"),
        "{list}"
    );
    succeeds(&installation.muster(&["schedule", "remove", "Refresh"]));
    let gone = fails(&installation.muster(&["schedule", "show", "Refresh"]), 5);
    assert!(gone.contains("there is no schedule \"Refresh\""), "{gone}");
    succeeds(&installation.muster(&["client", "disable", client]));
    succeeds(&installation.muster(&["schedule", "run", "New year"]));
    let run = installation.last_run("New year");
    let why = format!("the client {client} of the schedule is disabled");
    assert_eq!((&run["state"], &run["message"]), (&"skipped".into(), &why.into()));
}

/// What `look` finds, once it finds something.
fn awaited<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("waited a minute for {what}")
}

/// A mail server gets what a schedule and a start ask for; what it refuses is seen, and can be sent again.
#[test]
fn recipients_are_told_how_runs_end() {
    let Some(server) = Smtpd::start(Mode::Plain) else { return };
    let settings = format!(
        "[mail]\nserver = \"localhost\"\nport = {}\ntls = \"none\"\nfrom = \"muster@example.com\"\n\
         attachment_max = \"1MiB\"\n[notifications]\npublic_url = \"https://muster.example.com/\"\n",
        server.port
    );
    let installation = Installation::with_settings(2, &settings);
    let client = installation.service.client[3].as_str();
    let entry = r#"{"email":"ada@example.com","on":["success","change"],"attach":"CSV"}"#;
    let add =
        ["schedule", "add", "Told", "--report", "IDENTITIES", "--client", client, "--cron", "0 6 1 1 *"];
    succeeds(&installation.muster(&[&add[..], &["--notify", entry]].concat()));
    let shown = succeeds(&installation.muster(&["schedule", "show", "Told"]));
    assert!(shown.contains("told: ada@example.com of success, change"), "{shown}");
    succeeds(&installation.muster(&["schedule", "run", "Told"]));
    let run = installation.last_run("Told");
    let mail = awaited("the mail", || server.messages().pop()).replace("=\r\n", "");
    let task = run["taskResultId"].as_str().unwrap();
    let link = format!("https://muster.example.com/muster/v1/reports/{task}/files/csv");
    for part in
        ["To: ada@example.com", "Schedule: Told, due at 20", &link, "The CSV file is attached.", "Ada"]
    {
        assert!(mail.contains(part), "{part} is missing in {mail}");
    }

    let run = ["run", "IDENTITIES", "--wait", "--notify", "gone@example.com", "--notify-on", "success"];
    succeeds(&installation.report(&run));
    let failed = || {
        let listed = json(&installation.muster(&["notification", "list", "--failed", "--output", "json"]));
        listed.as_array().unwrap().first().cloned()
    };
    let given_up = awaited("the refusal", failed);
    let error = given_up["error"].as_str().unwrap();
    assert!(error.contains("no such mailbox"), "{given_up}");
    let id = given_up["id"].as_str().unwrap();
    succeeds(&installation.muster(&["notification", "retry", id]));
    let again = awaited("the second refusal", || {
        failed()
            .filter(|again| again["ended"] != given_up["ended"] || again["attempts"] != given_up["attempts"])
    });
    assert_eq!(again["id"], given_up["id"]);
    let listed = succeeds(&installation.muster(&["notification", "list"]));
    assert!(
        listed.contains("Told") && listed.contains("sent") && listed.contains("gone@example.com"),
        "{listed}"
    );
    assert_eq!(server.messages().len(), 1);

    let secret = succeeds(&installation.muster(&["notification", "secret", "https://example.com/hook"]));
    assert!(secret.starts_with("whsec_"), "{secret}");
    let refused = fails(&installation.muster(&["notification", "secret", "ftp://example.com"]), 1);
    assert!(refused.contains("webhook is not an address"), "{refused}");
    let add = ["schedule", "add", "Not", "--refresh", "--cron", "0 6 1 1 *", "--notify", "a b@example.com"];
    let refused = fails(&installation.muster(&add), 2);
    assert!(refused.contains("expected one address such as"), "{refused}");
    let verified = installation.muster(&["audit", "verify"]);
    succeeds(&verified);
}

/// What is held stays, what has expired is gone, and its record stays.
#[test]
fn files_are_held_and_expire() {
    let installation = Installation::new(2);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let ran = installation.report(&["run", "IDENTITIES", "--wait", "--output", "json"]);
        ids.push(json(&ran)["id"].as_str().unwrap().to_owned());
    }
    let expire = |arguments: &[&str]| {
        json(&installation.muster(&[&["report", "expire", "--output", "json"], arguments].concat()))["results"].clone()
    };
    assert_eq!(expire(&[]), 0, "files are kept for ever unless the settings say otherwise");
    let held = installation.muster(&["report", "hold", &ids[0], "--reason", "case 7"]);
    assert!(succeeds(&held).contains("are held by"), "{held:?}");
    let files = installation.results();
    assert_eq!(expire(&["--keep-days", "0", "--keep-last", "1"]), 1);
    assert_eq!(installation.results(), files / 3 * 2, "the held one and the newest stay");
    let gone = fails(&installation.report(&["get", &ids[1]]), 5);
    assert!(gone.contains("expired at") && gone.contains("its files are not kept any more"), "{gone}");
    let list = succeeds(&installation.report(&["list"]));
    assert!(list.contains("held: case 7") && list.contains("expired at 20"), "{list}");
    succeeds(&installation.report(&["get", &ids[0], "--to", "-"]));
    succeeds(&installation.muster(&["check"]));
    succeeds(&installation.muster(&["report", "release", &ids[0]]));
    assert_eq!(expire(&["--keep-days", "0", "--keep-last", "1"]), 1);
    let late = fails(&installation.muster(&["report", "hold", &ids[0], "--reason", "late"]), 5);
    assert!(late.contains("expired at"), "{late}");
    assert_eq!(installation.results(), files / 3);
    succeeds(&installation.muster(&["check"]));
    succeeds(&installation.muster(&["audit", "verify"]));
}
