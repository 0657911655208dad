//! Behaviour of a refresh, told in text: each file `cases/*.case` is a story that a person can read, and can write without
//! Rust.
//!
//! A case has steps. A step begins at the start of a line. The indented lines after it, without their first two spaces,
//! are its text. Lines that begin with `#` are comments; the first line is one and says what the case is about.
//!
//! | step | meaning |
//! |---|---|
//! | `source` | The text is the definition of a source (docs/sources.md). It replaces the one with the same name. |
//! | `no source NAME` | The source is no longer registered. |
//! | `file NAME` | The text is the content of this file, which a source reads. |
//! | `no file NAME` | The file is removed. |
//! | `links` | The text is the list of all manual links: CSV with the columns `account,userName,type`. |
//! | `refresh` | All sources are refreshed. |
//! | `refresh --accept-missing NAME` | The same; the losses of this source are accepted. |
//! | `refresh --publish-incomplete` | The same, with the setting `refresh.publish_incomplete`. |
//! | `query` | The text is one SQL query over the tables of the newest snapshot (docs/tables.md). |
//!
//! After the text of a `query` there is a line `----`, then a line for each row, then an empty line. Cells are separated
//! by ` | `; `NULL` is a null and `(empty)` an empty text. A query with more than one row has an `ORDER BY`. Ids are shown
//! as `id-1`, `id-2` and so on, in the order in which the queries of the case show them first: an identity that stays the
//! same keeps its number. `live_accounts` is a view of `accounts` without the missing ones, with the name of the identity
//! as `owner`.
//!
//! The same lines may follow a `refresh`. The first is `published` or `not published`. Then each source has a line, by
//! name: its read is `complete`, `incomplete` or `failed`, and each count that is not 0 follows: records `read` and
//! `refused`, and accounts `created`, `updated`, `unchanged`, `missing` and `kept` (as of an earlier read). The reason and
//! the refused records follow in indented lines. If nothing is published, only the failed sources are listed. Without
//! these lines, the case expects that the refresh publishes a snapshot, that every read is complete, and that there is
//! neither a reason nor a refused record.
//!
//! The first refresh is at 2026-01-01T01:00:00Z, each later one an hour after the one before. A case is played in two
//! installations at once: one refreshes incrementally, the other with `--full`. Both refreshes must say the same, and all
//! their tables must be equal. The expected lines are worked out by hand; nothing writes them.

mod script;

use crate::delta;
use crate::incremental::content;
use crate::installation::{Installation, block_on};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::{SessionConfig, SessionContext};
use muster_engine::TABLES;
use muster_engine::refresh::{RefreshOutcome, SourceOutcome};
use script::Action;
use std::fmt::Display;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const FOLDER: &str = "tests/engine/cases";

/// The accounts that are in their sources, with the names of their identities.
const LIVE_ACCOUNTS: &str = "CREATE VIEW live_accounts AS SELECT a.* EXCEPT (owner), i.name AS owner \
    FROM accounts a LEFT JOIN identities i ON i.id = a.identity_id WHERE a.dead_since IS NULL";

/// Both installations of a case.
struct Play {
    sparing: Installation,
    thorough: Installation,
    ids: Ids,
}

impl Play {
    fn new() -> Self {
        let (sparing, mut thorough) = (Installation::new(), Installation::new());
        thorough.full = true;
        Self { sparing, thorough, ids: Ids::default() }
    }

    fn installations(&mut self) -> [&mut Installation; 2] {
        [&mut self.sparing, &mut self.thorough]
    }

    /// Takes a step; the error says what is not as the case expects.
    fn take(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Source(definition) => {
                for installation in self.installations() {
                    let dir = installation.dir.path().to_owned();
                    installation.source_at(definition, &dir);
                }
            }
            Action::NoSource(name) => {
                for installation in self.installations() {
                    let before = installation.sources.len();
                    installation.sources.retain(|source| source.definition.name != *name);
                    if installation.sources.len() == before {
                        return Err(format!("there is no source {name:?}"));
                    }
                }
            }
            Action::File { name, content } => {
                for installation in self.installations() {
                    std::fs::write(installation.dir.path().join(name), content).map_err(text)?;
                }
            }
            Action::NoFile(name) => {
                for installation in self.installations() {
                    std::fs::remove_file(installation.dir.path().join(name)).map_err(text)?;
                }
            }
            Action::Links(links) => {
                for installation in self.installations() {
                    installation.links.clear();
                    links
                        .iter()
                        .for_each(|link| installation.link(&link.source, &link.account, &link.identity));
                }
            }
            Action::Refresh { accept, publish_incomplete, expected } => {
                for (which, installation) in
                    ["the refresh", "the refresh with --full"].into_iter().zip(self.installations())
                {
                    installation.accept =
                        accept.iter().map(|name| -> &'static str { name.clone().leak() }).collect();
                    installation.publish_incomplete = *publish_incomplete;
                    let outcome = installation.try_refresh();
                    let is_quiet = is_quiet(&outcome);
                    let found = lines_of(installation, outcome);
                    match expected {
                        Some(expected) => compare(which, expected, &found)?,
                        None if is_quiet => {}
                        None => return Err(format!("{which} has something to say:\n{}", found.join("\n"))),
                    }
                }
                self.compare_tables()?;
            }
            Action::Query { sql, expected } => {
                let rows = rows(&self.sparing, sql)?;
                if rows.len() > 1 && !sql.to_uppercase().contains("ORDER BY") {
                    return Err(format!("the query gives {} rows: expected an ORDER BY", rows.len()));
                }
                let shown: Vec<String> = rows.iter().map(|row| self.ids.shorten(row)).collect();
                compare("the rows", expected, &shown)?;
            }
        }
        Ok(())
    }

    /// An incremental refresh gives the tables that one of everything gives.
    fn compare_tables(&self) -> Result<(), String> {
        if self.sparing.manifest.is_none() {
            return Ok(());
        }
        let rows = |installation: &Installation, table| -> Vec<String> {
            content(installation, table).iter().map(|row| without_folder(installation, row)).collect()
        };
        for table in TABLES {
            let (sparing, thorough) = (rows(&self.sparing, table), rows(&self.thorough, table));
            if sparing != thorough {
                let difference = difference(&sparing, &thorough);
                return Err(format!("table {table} (- incremental, + with --full):\n{difference}"));
            }
        }
        Ok(())
    }
}

/// Ids, of 32 hex digits each, in the order in which they were shown first.
#[derive(Default)]
struct Ids(Vec<String>);

impl Ids {
    /// The line with `id-1`, `id-2` and so on for ids.
    fn shorten(&mut self, line: &str) -> String {
        let is_end = |c: char| !c.is_ascii_alphanumeric();
        let mut shown = String::new();
        for piece in line.split_inclusive(is_end) {
            let word = piece.trim_end_matches(is_end);
            if word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                let known = self.0.iter().position(|id| id == word).unwrap_or_else(|| {
                    self.0.push(word.to_owned());
                    self.0.len() - 1
                });
                shown += &format!("id-{}{}", known + 1, &piece[word.len()..]);
            } else {
                shown += piece;
            }
        }
        shown
    }
}

fn text(error: impl Display) -> String {
    error.to_string()
}

/// Whether a refresh published a snapshot and has nothing to say.
fn is_quiet(outcome: &Result<RefreshOutcome, String>) -> bool {
    let is_sound = |source: &SourceOutcome| {
        let run = &source.run;
        source.failure.is_none() && run.complete && run.remark.is_none() && run.rejected == 0
    };
    outcome.as_ref().is_ok_and(|outcome| outcome.manifest.is_some() && outcome.sources.iter().all(is_sound))
}

/// A text in which files are named without the folder of the installation.
fn without_folder(installation: &Installation, text: &str) -> String {
    text.replace(&format!("{}/", installation.dir.path().display()), "")
}

/// What a refresh has to say, as cases write it.
fn lines_of(installation: &Installation, outcome: Result<RefreshOutcome, String>) -> Vec<String> {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return vec!["not published".to_owned(), format!("  {error}")],
    };
    let is_published = outcome.manifest.is_some();
    let mut lines = vec![if is_published { "published" } else { "not published" }.to_owned()];
    for source in outcome.sources.iter().filter(|source| is_published || source.failure.is_some()) {
        let run = &source.run;
        let state = match (&source.failure, run.complete) {
            (Some(_), _) => "failed",
            (None, true) => "complete",
            (None, false) => "incomplete",
        };
        let counts = [
            ("read", run.read),
            ("refused", run.rejected),
            ("created", run.created),
            ("updated", run.updated),
            ("unchanged", run.unchanged),
            ("missing", run.missing),
            ("kept", run.stale),
        ];
        let mut line = format!("{}: {state}", run.name);
        for (word, number) in counts.into_iter().filter(|(_, number)| *number > 0) {
            line += &format!(", {number} {word}");
        }
        lines.push(line);
        let reason = source.failure.as_ref().or(run.remark.as_ref());
        lines.extend(reason.map(|reason| format!("  {}", without_folder(installation, reason))));
        let refused = source.rejections.iter();
        lines.extend(refused.map(|refused| format!("  line {}: {}", refused.line, refused.reason)));
    }
    lines
}

/// The rows of a query over the newest snapshot, as cases write them.
fn rows(installation: &Installation, sql: &str) -> Result<Vec<String>, String> {
    let Some(manifest) = &installation.manifest else {
        return Err("no snapshot has been published".to_owned());
    };
    block_on(async {
        // Texts as texts, not as views: attributes are looked up by their names.
        let config =
            SessionConfig::new().set_bool("datafusion.execution.parquet.schema_force_view_types", false);
        let context = SessionContext::new_with_config(config);
        for (table, version) in &manifest.versions {
            let is_viewed = ["accounts", "identities"].contains(&table.as_str());
            if !is_viewed && !sql.contains(table.as_str()) {
                continue;
            }
            let path = installation.dir.path().join("tables").join(table);
            let rows = delta::rows(&context, &path, *version).await.map_err(text)?;
            context.register_table(table.as_str(), rows.into_view()).map_err(text)?;
        }
        context.sql(LIVE_ACCOUNTS).await.map_err(text)?.collect().await.map_err(text)?;
        let batches = context.sql(sql).await.map_err(text)?.collect().await.map_err(text)?;
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = Vec::new();
        for batch in &batches {
            let columns =
                batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
            let columns = columns.collect::<Result<Vec<_>, _>>().map_err(text)?;
            for row in 0..batch.num_rows() {
                let cells = columns.iter().map(|column| match column.value(row).to_string() {
                    cell if cell.is_empty() => "(empty)".to_owned(),
                    cell => cell,
                });
                rows.push(cells.collect::<Vec<_>>().join(" | "));
            }
        }
        Ok::<_, String>(rows)
    })
}

fn compare(what: &str, expected: &[String], found: &[String]) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    Err(format!("{what} (- expected, + found):\n{}", difference(expected, found)))
}

/// Both lists as one, with `-` before lines of the first only and `+` before those of the second only.
fn difference(first: &[String], second: &[String]) -> String {
    // How many lines the ends of both share in order, by where these ends begin.
    let mut shared = vec![vec![0_usize; second.len() + 1]; first.len() + 1];
    for i in (0..first.len()).rev() {
        for j in (0..second.len()).rev() {
            shared[i][j] = if first[i] == second[j] {
                shared[i + 1][j + 1] + 1
            } else {
                shared[i + 1][j].max(shared[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < first.len() || j < second.len() {
        if i < first.len() && j < second.len() && first[i] == second[j] {
            lines.push(format!("  {}", first[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == second.len() || (i < first.len() && shared[i + 1][j] >= shared[i][j + 1]) {
            lines.push(format!("- {}", first[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", second[j]));
            j += 1;
        }
    }
    lines.join("\n")
}

/// The names and texts of the cases in a folder.
fn read(folder: &Path) -> Result<Vec<(String, String)>, String> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(text)? {
        let path = entry.map_err(text)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".case") {
            cases.push((name, std::fs::read_to_string(&path).map_err(text)?));
        }
    }
    if cases.is_empty() {
        return Err(format!("{}: expected files whose names end in .case", folder.display()));
    }
    cases.sort();
    Ok(cases)
}

/// Plays a case to its end or to the first step that does not go as it says.
fn play(name: &str, case: &str) -> Result<(), String> {
    let placed = |line: usize, reason: String| format!("{name}:{line}: {reason}");
    let steps = script::parse(case).map_err(|(line, reason)| placed(line, reason))?;
    let mut play = Play::new();
    for step in &steps {
        play.take(&step.action).map_err(|reason| placed(step.line, reason))?;
    }
    Ok(())
}

#[test]
fn every_case_goes_as_it_says() {
    let cases = read(Path::new(FOLDER)).unwrap();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((name, case)) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if let Err(failure) = play(name, case) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    assert!(failures.is_empty(), "{} of {} cases:\n\n{}", failures.len(), cases.len(), failures.join("\n\n"));
}

#[test]
fn a_folder_without_cases_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "# Not a case.\n").unwrap();
    assert!(read(folder.path()).unwrap_err().ends_with("expected files whose names end in .case"));
    assert!(read(&folder.path().join("elsewhere")).is_err());
}

const SMALL: &str = r#"# One person.
source
  name = "HR"
  kind = "delimited"
  [delimited]
  path = "hr.csv"
  native_identity = "id"
  [profile]
  name = "Employees"
  priority = 10
  attributes = [{ name = "uid", from = "id" }]
file hr.csv
  id
  1
"#;

#[test]
fn what_is_not_as_expected_is_shown_with_its_line() {
    let shown = |rest: &str| play("small.case", &format!("{SMALL}{rest}")).unwrap_err();
    assert_eq!(
        shown("refresh\n----\npublished\nHR: complete, 2 read, 1 created\n"),
        "small.case:15: the refresh (- expected, + found):\n  published\n- HR: complete, 2 read, 1 created\n\
         + HR: complete, 1 read, 1 created"
    );
    let query = "refresh\nquery\n  SELECT name, email, id FROM identities\n----\n";
    assert_eq!(
        shown(&format!("{query}1 | (empty) | id-1\n2 | NULL | id-2\n")),
        "small.case:16: the rows (- expected, + found):\n- 1 | (empty) | id-1\n- 2 | NULL | id-2\n+ 1 | NULL | id-1"
    );
    let two =
        "refresh\nquery\n  SELECT name FROM identities UNION ALL SELECT name FROM identities\n----\n1\n1\n";
    assert_eq!(shown(two), "small.case:16: the query gives 2 rows: expected an ORDER BY");
    // What a case does not speak of must be as it should be.
    let refused = "file hr.csv\n  id\n  1\n  2,3\nrefresh\n----\n\n";
    assert!(shown(refused).contains("+ published"), "{}", shown(refused));
    let unspoken = refused.replace("----\n\n", "query\n  SELECT 1\n----\n1\n");
    assert!(shown(&unspoken).contains("has something to say:\npublished\nHR: incomplete, 2 read, 1 refused"));
    assert!(shown("query\n  SELECT 1\n----\n1\n").ends_with("no snapshot has been published"));
}
