//! The list of runs, with filters in the address.
//!
//! Whoever may read the list of tasks sees all of it. Others see the last results, which the right to read reports gives.

use crate::api::{Counted, Refusal};
use crate::fields::{Fields, address};
use crate::look::{Moment, NOTHING, RunState, between, count, time_left};
use crate::page::{Layout, Section, shown};
use crate::problem::Problem;
use crate::state::Console;
use crate::tasks::{TASK_SCOPES, tasks_address};
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use muster_wire::{ListedResult, TaskCounts, TaskStatus};
use serde_json::Value;

/// Runs of a page.
const PAGE: usize = 50;
/// Most entries of one answer of the list of tasks.
const PART: usize = 250;
/// Runs that are looked through where the API cannot filter.
const LOOKED_THROUGH: usize = 1_000;
/// A run of the list.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The id of the report, where the API says it.
    pub(crate) report: Option<String>,
    pub(crate) launcher: String,
    pub(crate) created: Moment,
    pub(crate) state: RunState,
    pub(crate) duration: String,
    /// Rows, or how far it is.
    pub(crate) progress: String,
    /// Of a run in progress.
    pub(crate) percent: Option<i32>,
    /// How much longer a run in progress takes.
    pub(crate) left: String,
}

/// `37 of 40 rows written`: 37 and 40.
pub(crate) fn rows_of(progress: &str) -> Option<(u64, u64)> {
    let (done, rest) = progress.split_once(" of ")?;
    Some((done.parse().ok()?, rest.split(' ').next()?.parse().ok()?))
}

impl Row {
    fn of_task(task: TaskStatus, now: DateTime<Utc>) -> Self {
        let status = task.completion_status.as_ref().map(|status| status.as_str());
        let state = RunState::of(status, task.launched.is_some());
        let progress = task.progress.unwrap_or_default();
        let has_rows = matches!(state, RunState::Succeeded | RunState::Warned);
        let shown = match rows_of(&progress) {
            Some((rows, _)) if has_rows => count(rows),
            _ if state.is_live() => progress.clone(),
            _ => NOTHING.to_owned(),
        };
        let launched = Moment::of(task.launched.as_deref().or(Some(&task.created)));
        let left = match (state, rows_of(&progress)) {
            (RunState::Running, Some(rows)) => time_left(launched, rows, now),
            _ => String::new(),
        };
        Self {
            id: task.id,
            report: task.attributes.get("reportId").and_then(Value::as_str).map(str::to_owned),
            name: task.unique_name,
            launcher: task.launcher,
            created: Moment::of(Some(&task.created)),
            state,
            duration: between(launched, Moment::of(task.completed.as_deref())),
            progress: shown,
            percent: (state == RunState::Running).then_some(task.percent_complete),
            left,
        }
    }

    pub(crate) fn of_result(listed: ListedResult) -> Self {
        let result = listed.result;
        let status = result.status.as_ref().map(|status| status.as_str());
        let rows = result.rows.and_then(|rows| u64::try_from(rows).ok());
        let took = result.duration.and_then(chrono::TimeDelta::try_milliseconds);
        Self {
            id: result.id.unwrap_or_default(),
            report: result.report_type.map(|kind| kind.as_str().to_owned()),
            name: result.task_def_name.unwrap_or_default(),
            launcher: NOTHING.to_owned(),
            created: Moment::of(result.created.as_deref()),
            // The answer does not tell a run that waits from one that runs.
            state: RunState::of(status, true),
            duration: took.map_or_else(|| NOTHING.to_owned(), crate::look::duration),
            progress: rows.map_or_else(|| NOTHING.to_owned(), count),
            percent: None,
            left: String::new(),
        }
    }
}

/// A state that the list can be filtered by.
struct StateFilter {
    /// Its word in the address; empty for all.
    word: &'static str,
    name: &'static str,
    /// The condition of the list of tasks.
    condition: &'static str,
}

const STATES: [StateFilter; 6] = [
    StateFilter { word: "", name: "All", condition: "" },
    StateFilter { word: "live", name: "Waiting or running", condition: "completionStatus isnull" },
    StateFilter { word: "succeeded", name: "Succeeded", condition: r#"completionStatus eq "SUCCESS""# },
    StateFilter { word: "warned", name: "With warnings", condition: r#"completionStatus eq "WARNING""# },
    StateFilter { word: "failed", name: "Failed", condition: r#"completionStatus eq "ERROR""# },
    StateFilter { word: "cancelled", name: "Cancelled", condition: r#"completionStatus eq "TERMINATED""# },
];

fn has_state(word: &str, state: RunState) -> bool {
    match word {
        "live" => state.is_live(),
        "succeeded" => state == RunState::Succeeded,
        "warned" => state == RunState::Warned,
        "failed" => state == RunState::Failed,
        "cancelled" => state == RunState::Cancelled,
        _ => true,
    }
}

/// A report that the list can be filtered by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Kind {
    id: String,
    name: String,
}

impl Kind {
    /// The report that an address names by its id or its name. A report that is not offered any more is known by that word.
    fn named(word: &str, offered: &[Self]) -> Self {
        let found = offered
            .iter()
            .find(|kind| kind.id == word)
            .or_else(|| offered.iter().find(|kind| kind.name == word));
        found.cloned().unwrap_or_else(|| Self { id: word.to_owned(), name: word.to_owned() })
    }

    fn has(&self, row: &Row) -> bool {
        row.report.as_ref().map_or(row.name == self.name, |id| *id == self.id)
    }
}

/// What the address asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Filter {
    state: String,
    kind: Option<Kind>,
    launcher: String,
    since: String,
    until: String,
    page: usize,
}

impl Filter {
    fn of(query: &Fields, name: &str, offered: &[Kind]) -> Self {
        let text = |field: &str| query.text(field).to_owned();
        let kind = query.text("kind");
        Self {
            state: text("state"),
            kind: (!kind.is_empty()).then(|| Kind::named(kind, offered)),
            launcher: if query.has("mine") { name.to_owned() } else { text("launcher") },
            since: text("since"),
            until: text("until"),
            page: usize::try_from(query.number("page")).unwrap_or_default().max(1),
        }
    }

    fn address(&self, state: &str, page: usize) -> String {
        let page = if page > 1 { page.to_string() } else { String::new() };
        address(
            "/ui/runs",
            [
                ("state", state.to_owned()),
                ("kind", self.kind.as_ref().map(|kind| kind.id.clone()).unwrap_or_default()),
                ("launcher", self.launcher.clone()),
                ("since", self.since.clone()),
                ("until", self.until.clone()),
                ("page", page),
            ],
        )
    }

    /// The conditions of the list of tasks.
    fn conditions(&self, state: &str) -> String {
        let state = STATES.iter().find(|known| known.word == state).map_or("", |known| known.condition);
        let quoted = self.launcher.replace('\\', r"\\").replace('"', "\\\"");
        let launcher = if quoted.is_empty() { String::new() } else { format!("launcher eq \"{quoted}\"") };
        [state, &launcher].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" and ")
    }

    /// Whether the API can filter all of it.
    fn is_of_the_list(&self) -> bool {
        self.kind.is_none() && self.since.is_empty() && self.until.is_empty()
    }

    /// Whether a run passes, but for its state.
    fn passes(&self, row: &Row) -> bool {
        let (since, until) =
            (day(&self.since), day(&self.until).and_then(|day| day.checked_add_days(Days::new(1))));
        self.kind.as_ref().is_none_or(|kind| kind.has(row))
            && (self.launcher.is_empty() || row.launcher == NOTHING || row.launcher == self.launcher)
            && since.is_none_or(|since| row.created.0.is_some_and(|at| at >= since))
            && until.is_none_or(|until| row.created.0.is_some_and(|at| at < until))
    }
}

/// The begin of a day in UTC.
fn day(text: &str) -> Option<DateTime<Utc>> {
    Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN).and_utc())
}

/// A state as a link, with how many runs it has.
struct Tab {
    name: &'static str,
    address: String,
    is_here: bool,
    count: String,
}

/// Part of the list.
struct Listing {
    rows: Vec<Row>,
    /// By state, in the order of [`STATES`].
    counts: [u64; STATES.len()],
    has_more: bool,
    /// Why some runs may be missing.
    remark: String,
}

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    layout: Layout,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    filter: Filter,
    /// The reports, each with whether it is the one of the filter.
    kinds: Vec<(Kind, bool)>,
    mine: String,
    remark: String,
    here: String,
    live: String,
    newer: Option<String>,
    older: Option<String>,
    /// For screen readers, when it changes.
    status: String,
    sees_launchers: bool,
}

/// The page.
pub(crate) async fn list(
    State(console): State<Console>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let kinds = crate::new_run::definitions(&visitor).await?;
    let mut kinds: Vec<_> = kinds.into_iter().map(|kind| Kind { id: kind.id, name: kind.name }).collect();
    let filter = Filter::of(&query, &visitor.session.name, &kinds);
    kinds.extend(filter.kind.clone().filter(|kind| !kinds.contains(kind)));
    let tasks = if visitor.session.has(&TASK_SCOPES) {
        match of_tasks(&visitor, &filter, console.now()).await {
            Ok(listing) => Some(listing),
            // The level of the user may not read the list.
            Err(refusal) if refusal.status == StatusCode::FORBIDDEN => None,
            Err(refusal) => return Err(refusal.into()),
        }
    } else {
        None
    };
    let sees_launchers = tasks.is_some();
    let listing = match tasks {
        Some(listing) => listing,
        None => of_results(&visitor, &filter).await?,
    };
    let tab = |(state, counted): (&StateFilter, u64)| Tab {
        name: state.name,
        address: filter.address(state.word, 1),
        is_here: filter.state == state.word,
        count: count(counted),
    };
    let tabs: Vec<_> = STATES.iter().zip(listing.counts).map(tab).collect();
    let status = format!("{} waiting or running, {} runs in all", tabs[1].count, tabs[0].count);
    let page = RunsPage {
        layout: Layout::new("Runs", Section::Runs, Some(&visitor.session)).noticing(query.text("done")),
        status,
        tabs,
        here: filter.address(&filter.state, filter.page),
        live: address(crate::live::PATH, [("of", "runs".to_owned())]),
        newer: (filter.page > 1).then(|| filter.address(&filter.state, filter.page - 1)),
        older: listing.has_more.then(|| filter.address(&filter.state, filter.page + 1)),
        rows: listing.rows,
        remark: listing.remark,
        kinds: kinds.into_iter().map(|kind| (kind.clone(), filter.kind.as_ref() == Some(&kind))).collect(),
        mine: visitor.session.name.clone(),
        filter,
        sees_launchers,
    };
    shown(&page)
}

async fn of_tasks(visitor: &Visitor, filter: &Filter, now: DateTime<Utc>) -> Result<Listing, Refusal> {
    let api = &visitor.api;
    if !filter.is_of_the_list() {
        let (mut rows, mut total) = (Vec::new(), 0);
        for offset in (0..LOOKED_THROUGH).step_by(PART) {
            let part: Counted<Vec<TaskStatus>> =
                api.get_counted(&tasks_address(&filter.conditions(""), offset, PART)).await?;
            total = part.total.unwrap_or(0);
            let is_last = part.body.len() < PART;
            rows.extend(part.body.into_iter().map(|task| Row::of_task(task, now)));
            if is_last {
                break;
            }
        }
        let remark = if total > LOOKED_THROUGH as u64 {
            format!("These filters look through the last {} runs only.", count(LOOKED_THROUGH as u64))
        } else {
            String::new()
        };
        return Ok(part_of(rows, filter, remark));
    }
    let offset = (filter.page - 1) * PAGE;
    let list: Counted<Vec<TaskStatus>> =
        api.get_counted(&tasks_address(&filter.conditions(&filter.state), offset, PAGE)).await?;
    let conditions = [("filters", filter.conditions(""))];
    let counted: TaskCounts = api.get(&address("/muster/v1/task-counts", conditions)).await?;
    let counts = counts_by_state(&counted);
    let has_more = list.total.unwrap_or(0) > (offset + list.body.len()) as u64;
    let rows = list.body.into_iter().map(|task| Row::of_task(task, now)).collect();
    Ok(Listing { rows, counts, has_more, remark: String::new() })
}

/// In the order of [`STATES`].
fn counts_by_state(counted: &TaskCounts) -> [u64; STATES.len()] {
    let TaskCounts { pending, running, success, warning, error, terminated } = *counted;
    let live = pending + running;
    [live + success + warning + error + terminated, live, success, warning, error, terminated]
}

async fn of_results(visitor: &Visitor, filter: &Filter) -> Result<Listing, Refusal> {
    let results: Vec<ListedResult> = visitor.api.get("/muster/v1/results").await?;
    let rows = results.into_iter().map(Row::of_result).collect();
    let remark = "You see the last 100 runs. For all of them, your client needs the scope \
        idn:task-management:read and a level that may read the list of tasks.";
    Ok(part_of(rows, filter, remark.to_owned()))
}

/// Filters, counts and pages what was read.
fn part_of(rows: Vec<Row>, filter: &Filter, remark: String) -> Listing {
    let rows: Vec<_> = rows.into_iter().filter(|row| filter.passes(row)).collect();
    let counted =
        |state: &StateFilter| rows.iter().filter(|row| has_state(state.word, row.state)).count() as u64;
    let counts = std::array::from_fn(|index| counted(&STATES[index]));
    let mut rows =
        rows.into_iter().filter(|row| has_state(&filter.state, row.state)).skip((filter.page - 1) * PAGE);
    let part: Vec<_> = rows.by_ref().take(PAGE).collect();
    Listing { has_more: rows.next().is_some(), rows: part, counts, remark }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, launcher: &str, at: &str, state: RunState) -> Row {
        Row {
            id: "i".into(),
            name: name.into(),
            report: None,
            launcher: launcher.into(),
            created: Moment::of(Some(at)),
            state,
            duration: String::new(),
            progress: String::new(),
            percent: None,
            left: String::new(),
        }
    }

    #[test]
    fn a_launcher_cannot_add_conditions() {
        let filter = Filter { launcher: r#"a" or \"#.into(), state: "failed".into(), ..Filter::default() };
        let expected = r#"completionStatus eq "ERROR" and launcher eq "a\" or \\""#;
        assert_eq!(filter.conditions("failed"), expected);
        assert_eq!(Filter::default().conditions(""), "");
    }

    #[test]
    fn filters_count_and_page() {
        let early = row("A", "ann", "2026-03-01T23:59:59Z", RunState::Failed);
        let late = row("B", "bob", "2026-03-02T00:00:00Z", RunState::Running);
        let list = |filter: &Filter| part_of(vec![early.clone(), late.clone()], filter, String::new());
        let all = list(&Filter { page: 1, ..Filter::default() });
        assert_eq!((all.counts, all.rows.len(), all.has_more), ([2, 1, 0, 0, 1, 0], 2, false));
        let one_day =
            Filter { since: "2026-03-01".into(), until: "2026-03-01".into(), page: 1, ..Filter::default() };
        let found = list(&one_day);
        assert_eq!((found.counts[0], found.rows[0].name.as_str()), (1, "A"));
        let bob =
            list(&Filter { launcher: "bob".into(), state: "live".into(), page: 1, ..Filter::default() });
        assert_eq!((bob.counts, bob.rows[0].name.as_str()), ([1, 1, 0, 0, 0, 0], "B"));
        let many = part_of(vec![early.clone(); 51], &Filter { page: 1, ..Filter::default() }, String::new());
        assert!(many.has_more && many.rows.len() == 50);
        let second = part_of(vec![early; 51], &Filter { page: 2, ..Filter::default() }, String::new());
        assert!(!second.has_more && second.rows.len() == 1);
    }

    /// An address can have the id of a report or its name; links have the id.
    #[test]
    fn a_report_is_named_by_its_id_or_its_name() {
        let kind = |id: &str, name: &str| Kind { id: id.into(), name: name.into() };
        let offered =
            [kind("ACCOUNTS", "Accounts Report"), kind("MINE", "Accounts Report"), kind("ODD", "ACCOUNTS")];
        let filter = |query: &str| Filter::of(&Fields::read(query), "ann", &offered);
        for (query, id) in
            [("kind=MINE", "MINE"), ("kind=ACCOUNTS", "ACCOUNTS"), ("kind=Accounts+Report", "ACCOUNTS")]
        {
            assert_eq!(filter(query).address("", 1), format!("/ui/runs?kind={id}"), "{query}");
        }
        let run = |report: Option<&str>, name: &str| {
            let at = "2026-03-01T00:00:00Z";
            Row { report: report.map(str::to_owned), ..row(name, "ann", at, RunState::Failed) }
        };
        let (published, own) = (run(None, "Accounts Report"), run(Some("MINE"), "Accounts Report"));
        let accounts = filter("kind=ACCOUNTS");
        assert!(accounts.passes(&published) && !accounts.passes(&own));
        let mine = filter("kind=MINE");
        assert!(mine.passes(&own) && !mine.passes(&run(Some("OTHER"), "MINE")));
        // A report that was removed is still found.
        let gone = filter("kind=Old+Report");
        assert!(gone.passes(&run(None, "Old Report")) && gone.passes(&run(Some("Old Report"), "x")));
    }

    #[test]
    fn counts_have_the_order_of_the_states() {
        let counted =
            TaskCounts { pending: 1, running: 2, success: 4, warning: 8, error: 16, terminated: 32 };
        let names = STATES.iter().map(|state| state.word).zip(counts_by_state(&counted));
        let expected =
            [("", 63), ("live", 3), ("succeeded", 4), ("warned", 8), ("failed", 16), ("cancelled", 32)];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn progress_has_two_numbers() {
        assert_eq!(rows_of("500 of 2000 rows written"), Some((500, 2000)));
        assert_eq!(rows_of("Initializing..."), None);
    }
}
