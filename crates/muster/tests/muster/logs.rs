//! What the service logs: whose line it is, and what is never in one.

use super::command;
use serde_json::Value;
use std::collections::BTreeMap;

#[test]
fn every_line_of_a_run_names_its_task_and_none_a_person_or_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let done = command(&data, &["demo", "--once", "--identities", "50"])
        .envs([("MUSTER__LOG__FORMAT", "json"), ("MUSTER__LOG__FILTER", "warn,muster=debug")])
        .output()
        .unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(0), "{said}");
    let lines: Vec<Value> = said
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();

    let mut runs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["target"].as_str().unwrap().starts_with("muster_worker")) {
        let message = line["fields"]["message"].as_str().unwrap().to_owned();
        let task = line["span"]["task"].as_str().unwrap_or_else(|| panic!("no task: {line}"));
        runs.entry(task.to_owned()).or_default().push(message);
    }
    assert!(runs.len() >= 7, "one for each report: {runs:?}");
    for (task, messages) in &runs {
        assert_eq!(messages, &["run begins", "run ended"], "{task}");
    }
    // Where a line says itself of which task it is, that is the task that the run's lines have.
    for line in &lines {
        if let (Some(own), Some(of_run)) = (line["fields"]["task"].as_str(), line["span"]["task"].as_str()) {
            assert_eq!(own, of_run, "{line}");
        }
    }

    assert!(!said.contains('@'), "an address is in the log");
    for key in std::fs::read_dir(data.join("keys")).unwrap() {
        let text = std::fs::read_to_string(key.unwrap().path()).unwrap();
        assert!(!said.contains(text.split_whitespace().next().unwrap()), "a key is in the log");
    }
}
