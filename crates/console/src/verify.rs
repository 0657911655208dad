//! Comparing a file with the record of the run that made it.
//!
//! The file stays with its reader: only its SHA-256 comes here. A script computes it in the browser and fills it in; without
//! a script, people paste what another program computed.

use crate::api::encoded;
use crate::assets;
use crate::fields::Fields;
use crate::look::{RunState, text};
use crate::page::{Layout, Section, shown};
use crate::problem::Problem;
use crate::runs::Row;
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use muster_wire::ListedResult;
use serde_json::Value;

/// What the comparison says.
enum Verdict {
    /// Nothing is compared yet.
    Open,
    /// What was given cannot be compared, and why.
    Unclear(String),
    /// The digest is that of a file of the run.
    Same { file: String, format: String },
    /// It is that of none of its files, which are these.
    Other { files: Vec<(String, String)> },
}

#[derive(Template)]
#[template(path = "verify.html")]
struct VerifyPage {
    layout: Layout,
    run: String,
    sha256: String,
    verdict: Verdict,
    /// Where the run is, if it is known.
    here: String,
    name: String,
    /// Runs that can be chosen.
    runs: Vec<Row>,
    /// The script that checks packages.
    package: &'static str,
}

/// A digest as people paste it: in any case, with what other programs write behind it.
fn digest(text: &str) -> Option<String> {
    let first = text.split_whitespace().next()?.to_ascii_lowercase();
    let is_digest = first.len() == 64 && first.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then_some(first)
}

/// Compares a digest with the files of a cover.
fn compared(cover: &Value, sha256: &str) -> Verdict {
    let files = cover["files"].as_array().map_or(&[][..], Vec::as_slice);
    match files.iter().find(|file| file["sha256"].as_str() == Some(sha256)) {
        Some(file) => Verdict::Same { file: text(file, "name"), format: text(file, "format") },
        None => Verdict::Other {
            files: files.iter().map(|file| (text(file, "name"), text(file, "sha256"))).collect(),
        },
    }
}

/// The page.
pub(crate) async fn page(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let (run, given) = (query.text("run"), query.text("sha256"));
    let results: Vec<ListedResult> = visitor.api.get("/muster/v1/results").await?;
    let rows = results.into_iter().map(Row::of_result);
    let ended = rows.filter(|row| matches!(row.state, RunState::Succeeded | RunState::Warned));
    let (mut here, mut name) = (String::new(), String::new());
    let verdict = match (run, digest(given)) {
        ("", _) if given.is_empty() => Verdict::Open,
        ("", _) => Verdict::Unclear("Choose the run that the file is said to be of.".into()),
        (_, None) if given.is_empty() => Verdict::Open,
        (_, None) => Verdict::Unclear("A SHA-256 has 64 hexadecimal digits.".into()),
        (run, Some(sha256)) => {
            let cover: Result<Value, _> =
                visitor.api.get(&format!("/reports/v1/{}/cover", encoded(run))).await;
            match cover {
                Ok(cover) => {
                    here = format!("/ui/runs/{}", encoded(run));
                    name = text(&cover["report"], "name");
                    compared(&cover, &sha256)
                }
                Err(refusal) if refusal.status == StatusCode::NOT_FOUND => {
                    Verdict::Unclear(format!("The service says: {}.", refusal.text))
                }
                Err(refusal) => return Err(refusal.into()),
            }
        }
    };
    shown(&VerifyPage {
        layout: Layout::new("Verify a file", Section::Verify, Some(&visitor.session)),
        run: run.to_owned(),
        sha256: given.to_owned(),
        verdict,
        here,
        name,
        runs: ended.collect(),
        package: assets::address("package.js"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn digests_are_read_as_people_paste_them() {
        let hex = "ab".repeat(32);
        for text in [hex.clone(), hex.to_uppercase(), format!(" {hex}  accounts.csv")] {
            assert_eq!(digest(&text), Some(hex.clone()), "{text}");
        }
        for text in ["", "ab", &"xy".repeat(32), &"ab".repeat(33)] {
            assert_eq!(digest(text), None, "{text}");
        }
    }

    #[test]
    fn a_digest_is_of_one_file_of_the_run_or_of_none() {
        let cover = json!({"files": [
            {"name": "a.csv", "format": "CSV", "sha256": "aa"}, {"name": "a.pdf", "format": "PDF", "sha256": "bb"},
        ]});
        assert!(matches!(compared(&cover, "bb"), Verdict::Same { file, .. } if file == "a.pdf"));
        let Verdict::Other { files } = compared(&cover, "cc") else { panic!("it is another file") };
        assert_eq!(files, [("a.csv".to_owned(), "aa".to_owned()), ("a.pdf".to_owned(), "bb".to_owned())]);
    }
}
