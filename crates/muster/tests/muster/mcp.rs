//! `muster mcp` as a program speaks to it: lines of JSON on its standard input and output.
//!
//! `cargo xtask clients` drives it by a published client, over an organisation; this is what needs no other program.

use crate::command;
use crate::reports::Installation;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// A session that has begun.
struct Session {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    last: u64,
}

impl Session {
    /// As the protocol of June 2025 says: a request, its answer, and a notification.
    fn begin(installation: &Installation, client: &[&str]) -> Self {
        let mut child = command(&installation.data, &[&["mcp"], client].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut session = Self { child, to, from, last: 0 };
        let client = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
        let begun = session.ask("initialize", params);
        assert_eq!(begun["result"]["protocolVersion"], "2025-06-18", "{begun}");
        assert_eq!(begun["result"]["serverInfo"]["name"], "muster");
        session.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        session
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.to.as_mut().unwrap(), "{message}").unwrap();
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?} is not a message: {error}"))
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}));
        let answer = self.answer();
        assert_eq!(answer["id"], self.last, "{answer}");
        answer
    }

    /// What a tool answers, or its words if it fails.
    fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, String> {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments}));
        let result = &answer["result"];
        match result["isError"].as_bool() {
            Some(true) => Err(result["content"][0]["text"].as_str().unwrap().to_owned()),
            _ => Ok(result["structuredContent"].clone()),
        }
    }

    /// Standard input ends, and so does the command.
    fn end(mut self) {
        self.to = None;
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

#[test]
fn a_program_runs_a_report_and_reads_its_rows() {
    let installation = Installation::new(2);
    let client: Vec<_> = installation.service.client.iter().map(String::as_str).collect();
    let mut session = Session::begin(&installation, &client);
    let tools = session.ask("tools/list", json!({}));
    let names: Vec<_> =
        tools["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    let expected = [
        "list_reports",
        "list_results",
        "run_report",
        "report_result",
        "first_rows",
        "explain_query",
        "verify",
    ];
    assert_eq!(names, expected);

    let run = session.call("run_report", json!({"report": "IDENTITIES", "wait_seconds": 60})).unwrap();
    assert!(["SUCCESS", "WARNING"].contains(&run["state"].as_str().unwrap()), "{run}");
    assert_eq!(run["rows"], 2, "Ada and Cy");
    let shown = session.call("first_rows", json!({"id": run["id"], "rows": 1, "columns": ["uid"]})).unwrap();
    let file = &shown["files"][0];
    assert_eq!(
        (&file["columns"], &file["rows"], &file["moreRows"]),
        (&json!(["uid"]), &json!([["Ada"]]), &json!(true))
    );
    let verified = session.call("verify", json!({"id": run["id"]})).unwrap();
    assert_eq!(verified["holds"], true, "{verified}");

    let mistake = session.call("explain_query", json!({"query": "name:a AND"})).unwrap();
    assert_eq!((&mistake["valid"], &mistake["column"]), (&json!(false), &json!(11)), "{mistake}");
    for (tool, arguments, said) in [
        ("first_rows", json!({"id": run["id"], "rows": 0}), "rows is 0: expected a number from 1 to 200"),
        ("first_rows", json!({"id": run["id"], "columns": ["udi"]}), "the nearest name is \"uid\""),
        ("first_rows", json!({"id": "0".repeat(32)}), "list_results lists the last ones"),
        (
            "run_report",
            json!({"report": "IDENTITIES", "wait": 1}),
            "arguments of run_report: unknown field `wait`",
        ),
        ("run_report", json!({"report": "IDENTITES"}), "IDENTITES"),
        ("list_report", json!({}), "the nearest name is \"list_reports\""),
        ("verify", json!({}), "expected id alone, or file with either key"),
    ] {
        let words = session.call(tool, arguments).unwrap_err();
        assert!(words.contains(said), "{words}");
    }
    session.end();

    // What was looked at is in the service's audit trail, under the client.
    let trail = crate::succeeds(&installation.muster(&["audit", "list", "--output", "json"]));
    let downloads: Value = serde_json::from_str(&trail).unwrap();
    let of_file = downloads.as_array().unwrap().iter().filter(|event| event.to_string().contains("ownload"));
    assert!(of_file.count() >= 1, "{trail}");
}

/// The server starts whatever the credential is, and each call says what is wrong with it.
#[test]
fn a_refused_client_is_told_what_to_do() {
    let installation = Installation::new(0);
    let mut client = installation.service.client.clone();
    let secret = client.iter().position(|argument| argument == "--client-secret").unwrap();
    client[secret + 1] = "wrong".into();
    let client: Vec<_> = client.iter().map(String::as_str).collect();
    let mut session = Session::begin(&installation, &client);
    let words = session.call("list_reports", json!({})).unwrap_err();
    assert!(words.contains("`muster login` keeps another client"), "{words}");
    // Not JSON, and too long a line: the session goes on.
    writeln!(session.to.as_mut().unwrap(), "{}", "x".repeat(2 << 20)).unwrap();
    let mut answer = session.ask_any("ping");
    while answer["id"] != session.last {
        answer = session.answer();
    }
    assert!(answer["result"].is_object(), "{answer}");
    session.end();
}

impl Session {
    /// The next answer, whatever it answers.
    fn ask_any(&mut self, method: &str) -> Value {
        self.last += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.last, "method": method}));
        self.answer()
    }
}

/// A run that nobody carries out is answered as running when the time is up.
#[test]
fn a_wait_ends_in_time_and_the_report_runs_on() {
    let installation = Installation::new(0);
    let client: Vec<_> = installation.service.client.iter().map(String::as_str).collect();
    let mut session = Session::begin(&installation, &client);
    let run = session.call("run_report", json!({"report": "IDENTITIES", "wait_seconds": 1})).unwrap();
    assert_eq!(run["state"], "RUNNING", "{run}");
    let words = session.call("first_rows", json!({"id": run["id"]})).unwrap_err();
    assert!(words.contains("has not ended: report_result with wait_seconds waits for it"), "{words}");
    session.end();
}
