//! Exit statuses, as docs/command-line.md has them: what does not exist, what is not allowed, what is called wrongly.

use crate::reports::Installation;
use crate::{fails, json, muster};
use std::process::Output;

const UNKNOWN: &str = "ffffffffffffffffffffffffffffffff";

/// Calls each command, and says which ended otherwise.
#[track_caller]
fn all_end_with(status: i32, call: impl Fn(&[&str]) -> Output, commands: &[&[&str]]) {
    let mut otherwise = Vec::new();
    for command in commands {
        let output = call(command);
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() != Some(status) || !err.contains("error: ") {
            otherwise.push(format!("{command:?}: {:?} {err}", output.status.code()));
        }
    }
    assert!(otherwise.is_empty(), "expected {status}:\n{}", otherwise.join("\n"));
}

#[test]
fn what_is_not_there_in_the_data_directory_has_its_status() {
    let installation = Installation::new(0);
    let call = |command: &[&str]| muster(&installation.data, command);
    all_end_with(
        5,
        call,
        &[
            &["source", "show", "Peple"],
            &["source", "remove", "Peple"],
            &["source", "unlink", "Peple", "1"],
            &["source", "unlink", "People", "1"],
            &["refresh", "--accept-missing", "Peple"],
            &["correlate", "explain", "Peple", "1"],
            &["correlate", "explain", "People", "4711"],
            &["correlate", "explain", "People", "1", "--snapshot", UNKNOWN],
            &["snapshot", "show", UNKNOWN],
            &["snapshot", "show", "2001-01-01"],
            &["snapshot", "show", "2001-01-01T00:00:00Z"],
            &["snapshot", "show", "the first one"],
            &["snapshot", "pin", UNKNOWN, "--reason", "why", "--by", "ada"],
            &["snapshot", "unpin", UNKNOWN],
            &["snapshot", "compare", UNKNOWN, "newest"],
            &["snapshot", "compare", "newest", UNKNOWN],
            &["client", "disable", "nobody"],
            &["schedule", "show", "nobody"],
            &["schedule", "pause", "nobody"],
            &["schedule", "resume", "nobody"],
            &["schedule", "run", "nobody"],
            &["schedule", "remove", "nobody"],
            &["schedule", "add", "a", "--cron", "0 6 1 1 *", "--report", "NO_REPORT", "--client", "ada"],
            &["schedule", "add", "a", "--cron", "0 6 1 1 *", "--report", "IDENTITIES", "--client", "nobody"],
            &["notification", "retry", UNKNOWN],
            &["definition", "show", "NO_REPORT"],
            &["definition", "remove", "NO_REPORT"],
            &["report", "hold", UNKNOWN, "--reason", "why"],
            &["report", "release", UNKNOWN],
            &["env", "use", "nowhere"],
            &["env", "remove", "nowhere"],
            &["report", "list", "--env", "nowhere"],
        ],
    );
    all_end_with(
        2,
        call,
        &[
            &["snapshot", "pin", "newest"],
            &["schedule", "add", "a", "--cron", "0 6 1 1 *"],
            &["snapshot", "list", "--json", "no such field"],
            &["report", "run", "IDENTITIES", "--client-id", "a"],
        ],
    );
}

#[test]
fn what_a_service_does_not_have_has_its_status() {
    let installation = Installation::new(0);
    let client: Vec<&str> = installation.service.client.iter().map(String::as_str).collect();
    let call = |command: &[&str]| muster(&installation.data, &[command, &client].concat());
    all_end_with(
        5,
        call,
        &[
            &["report", "run", "NO_REPORT"],
            &["report", "run", "ACCOUNTS", "--source", "Peple"],
            &["report", "run", "DORMANT_ACCOUNTS", "--source", UNKNOWN],
            &["report", "run", "IDENTITIES", "--as-of", UNKNOWN],
            &["report", "run", "IDENTITIES", "--as-of", "2001-01-01"],
            &["report", "run", "REVIEW_DECISIONS", "--argument", "review=ffffffffffffffffffffffffffffffff"],
            &[
                "report",
                "run",
                "ACCOUNTS",
                "--argument",
                "application=Peple",
                "--argument",
                "sourceName=Peple",
            ],
            &["report", "run", "SOD_VIOLATIONS", "--argument", "policies=[\"No policy\"]"],
            &["report", "result", UNKNOWN],
            &["report", "watch", UNKNOWN],
            &["report", "get", UNKNOWN],
            &["report", "evidence", UNKNOWN],
            &["report", "cancel", UNKNOWN],
            &["report", "compare", UNKNOWN, UNKNOWN],
            &["review", "status", UNKNOWN],
            &["review", "show", UNKNOWN],
            &["review", "decide", UNKNOWN, "--keep", "1"],
            &["review", "export", UNKNOWN, "-o", "sheets.zip"],
            &["review", "close", UNKNOWN],
            &["review", "create", "Spring", "--reviewers", "manager", "--as-of", UNKNOWN],
            &["review", "create", "Spring", "--reviewers", "manager", "--source", "Peple"],
            &["review", "create", "Spring", "--reviewers", "manager", "--fallback", "nobody"],
        ],
    );
    all_end_with(
        2,
        call,
        &[
            &["report", "run", "IDENTITIES", "--as-of", "yesterday"],
            &["report", "run", "IDENTITIES", "--argument", "nothing=1"],
            &["report", "run", "IDENTITIES", "--source", "People"],
            &["report", "run", "IDENTITIES", "--format", "odt"],
            &["report", "run", "SEARCH_EXPORT", "--argument", "query=*", "--format", "xlsx"],
            &["report", "run", "SEARCH_EXPORT", "--argument", "query=*", "--wait", "-o", "found.pdf"],
            &["review", "create", "Spring", "--reviewers", "manager", "--as-of", "yesterday"],
            &["review", "decide", UNKNOWN, "--keep", "x"],
        ],
    );
}

#[test]
fn what_is_not_allowed_has_its_status() {
    let installation = Installation::new(0);
    let base_url = installation.service.client[1].as_str();
    let made =
        |arguments: &[&str]| json(&muster(&installation.data, &[&["client", "create"], arguments].concat()));
    // Without a level, and without the right to start.
    let reader = made(&["--kind", "user", "--name", "eve", "--level", "USER", "--scope", "sp:report:read"]);
    let text = |name: &str| reader[name].as_str().unwrap();
    let client = ["--base-url", base_url, "--client-id", text("id"), "--client-secret", text("secret")];
    let call = |command: &[&str]| muster(&installation.data, &[command, &client].concat());
    all_end_with(
        4,
        call,
        &[
            &["report", "run", "IDENTITIES"],
            &["report", "run", "ACCOUNTS", "--source", "People"],
            // What may not be started is not said to be there or not.
            &["report", "run", "IDENTITIES", "--as-of", UNKNOWN],
            &["report", "cancel", UNKNOWN],
            &["review", "create", "Spring", "--reviewers", "manager"],
            &["review", "close", UNKNOWN],
        ],
    );
    let wrong = ["--base-url", base_url, "--client-id", text("id"), "--client-secret", "wrong"];
    fails(&muster(&installation.data, &[&["report", "list"], &wrong[..]].concat()), 4);
}
