//! `muster review`: access reviews over HTTP, through the Rust SDK.

use crate::api::Api;
use crate::cli::{ReviewCommand, ReviewCreateArgs, ReviewDecideArgs, ReviewersRule, Service, SheetFormat};
use crate::environments;
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, count, json, number, print, say, table, text};
use crate::part_file::PartFile;
use muster_client::ReviewItemFilter;
use muster_client::wire::{
    ListedReviewerDetails, NewReviewDetails, ReviewDecisionDetails, ReviewDecisions, ReviewDescription,
    ReviewHandOver, ReviewItemDescription, ReviewOutcome, ReviewProgress,
};
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// Items that are asked for at a time.
const PAGE: u32 = 1_000;

/// Does what `command` says.
pub async fn run(command: &ReviewCommand, output: Output) -> Result {
    match command {
        ReviewCommand::Create(args) => create(args, output).await,
        ReviewCommand::List { service } => list(&connect(service)?.reviews().await?, output),
        ReviewCommand::Status { id, service } => status(&connect(service)?.review(id).await?, output),
        ReviewCommand::Show { id, reviewer, undecided, service } => {
            let filter = ReviewItemFilter {
                reviewer: reviewer.clone(),
                undecided: *undecided,
                after: 0,
                limit: Some(PAGE),
            };
            show(&connect(service)?, id, filter, output).await
        }
        ReviewCommand::Export { id, format, reviewer, to, service } => {
            let format = match format {
                SheetFormat::Xlsx => "xlsx",
                SheetFormat::Csv => "csv",
            };
            let archive = connect(service)?.review_sheets(id, format, reviewer.as_deref()).await?;
            let (part, mut file) = PartFile::create(to)?;
            file.write_all(&archive).context(|| format!("{} cannot be written", to.display()))?;
            part.finish(to)?;
            print(&to.display().to_string())
        }
        ReviewCommand::Import { id, files, service } => import(&connect(service)?, id, files, output).await,
        ReviewCommand::Decide(args) => decide(args, output).await,
        ReviewCommand::HandOver { id, items: given, from, to, reason, service } => {
            let items = given
                .as_ref()
                .map(|given| {
                    items(given).map_err(|reason| Failure::usage(format!("--items {given}: {reason}")))
                })
                .transpose()?;
            let over = ReviewHandOver { items, from: from.clone(), to: to.clone(), reason: reason.clone() };
            status(&connect(service)?.hand_over_review(id, &over).await?, output)
        }
        ReviewCommand::Close { id, service } => {
            let review = connect(service)?.close_review(id).await?;
            if output == Output::Json {
                return json(&review);
            }
            let total = &review.total;
            print(&format!(
                "review {id} is closed: {} items are kept, {} are revoked, {} are undecided; revokes are due by {}",
                count(total.keep.into()),
                count(total.revoke.into()),
                count(total.undecided.into()),
                review.due.unwrap_or_default()
            ))
        }
    }
}

fn connect(service: &Service) -> Result<Api> {
    Api::of(environments::reached(service)?)
}

async fn create(args: &ReviewCreateArgs, output: Output) -> Result {
    let list = match &args.list {
        None => Vec::new(),
        Some(path) => {
            let bytes = std::fs::read(path).context(|| format!("{} cannot be read", path.display()))?;
            listed(&bytes).map_err(|reason| Failure::usage(format!("{}: {reason}", path.display())))?
        }
    };
    let new = NewReviewDetails {
        name: args.name.clone(),
        reviewers: match args.reviewers {
            ReviewersRule::Manager => "MANAGER",
            ReviewersRule::SourceOwner => "SOURCE_OWNER",
            ReviewersRule::List => "LIST",
        }
        .into(),
        list,
        fallback: args.fallback.clone(),
        sources: args.sources.clone(),
        privileged: args.privileged,
        due_days: Some(args.due_days),
        comment_required: args.comment_required,
        ends: args.ends.clone(),
        remind_days: Some(args.remind_days),
        tell: args.tell,
        as_of: args.as_of.clone(),
    };
    status(&connect(&args.service)?.create_review(&new).await?, output)
}

/// The lines of a list of reviewers.
fn listed(bytes: &[u8]) -> std::result::Result<Vec<ListedReviewerDetails>, String> {
    let rows = muster_runs::csv_rows(bytes)?;
    let mut rows = rows.into_iter();
    let (_, header) =
        rows.next().ok_or("it is empty: expected the columns source, entitlement, identity, reviewer")?;
    let known = ["source", "entitlement", "identity", "reviewer"];
    if let Some(stranger) = header.iter().find(|title| !known.contains(&title.trim())) {
        return Err(format!("line 1: there is a column {stranger:?}: expected some of {}", known.join(", ")));
    }
    let place = |name: &str| header.iter().position(|title| title.trim() == name);
    let reviewer = place("reviewer").ok_or("line 1: there is no column \"reviewer\": expected one")?;
    let line = |(line, row): (u64, Vec<String>)| {
        if row.len() != header.len() {
            return Err(format!(
                "line {line}: {} fields: expected {}, as in the header",
                row.len(),
                header.len()
            ));
        }
        let given = |name: &str| place(name).map(|at| row[at].clone()).filter(|text| !text.is_empty());
        let reviewer = row[reviewer].trim().to_owned();
        if reviewer.is_empty() {
            return Err(format!("line {line}: reviewer is blank: expected the name of an identity"));
        }
        Ok(ListedReviewerDetails {
            source: given("source"),
            entitlement: given("entitlement"),
            identity: given("identity"),
            reviewer,
        })
    };
    rows.map(line).collect()
}

fn list(reviews: &[ReviewDescription], output: Output) -> Result {
    let columns = [
        text("id"),
        text("name"),
        text("state"),
        text("frozen"),
        number("items"),
        number("keep"),
        number("revoke"),
        number("undecided"),
        text("due"),
    ];
    output.list(reviews, &columns, |review| {
        let mut cells =
            vec![review.id.clone(), review.name.clone(), review.state.clone(), review.frozen_at.clone()];
        cells.extend(numbers(&review.total));
        cells.push(review.due.clone().unwrap_or_default());
        cells
    })
}

fn numbers(progress: &ReviewProgress) -> [String; 4] {
    [progress.items, progress.keep, progress.revoke, progress.undecided].map(|number| count(number.into()))
}

fn status(review: &ReviewDescription, output: Output) -> Result {
    if output == Output::Json {
        return json(review);
    }
    let mut lines = vec![
        format!("review {}: {}, {}", review.id, review.name, review.state),
        format!("snapshot {} of {}, digest {}", review.snapshot_id, review.frozen_at, review.digest),
    ];
    if let Some(ends) = &review.ends {
        lines.push(format!("reviewers decide until {ends}"));
    }
    if review.tell {
        let reminder = review.reminds.as_ref().map(|at| format!(", and at {at} of what is not decided"));
        lines.push(format!("they are told by mail of items that are theirs{}", reminder.unwrap_or_default()));
    }
    if !review.not_told.is_empty() {
        lines.push(format!("no address for mail: {}", review.not_told.join(", ")));
    }
    if let (Some(closed), Some(by), Some(due)) = (&review.closed, &review.closed_by, &review.due) {
        lines.push(format!("closed at {closed} by {by}; revokes are due by {due}"));
    }
    let columns = [
        text("reviewer"),
        text("name"),
        number("items"),
        number("keep"),
        number("revoke"),
        number("undecided"),
    ];
    let row = |name: String, display: String, progress: &ReviewProgress| {
        let mut cells = vec![name, display];
        cells.extend(numbers(progress));
        cells
    };
    let reviewers = review.progress.iter().map(|progress| {
        let name = progress.reviewer.clone().unwrap_or_else(|| "(without a reviewer)".into());
        row(name, progress.display_name.clone().unwrap_or_default(), progress)
    });
    let total = std::iter::once(row("all".into(), String::new(), &review.total));
    lines.push(format!("\n{}", table(&columns, reviewers.chain(total))));
    print(&lines.join("\n"))
}

async fn show(api: &Api, id: &str, mut filter: ReviewItemFilter, output: Output) -> Result {
    let mut items: Vec<ReviewItemDescription> = Vec::new();
    loop {
        let page = api.review_items(id, &filter).await?;
        let Some(last) = page.last() else { break };
        filter.after = last.item;
        items.extend(page);
    }
    let columns = [
        number("item"),
        text("identity"),
        text("source"),
        text("account"),
        text("entitlement"),
        text("reviewer"),
        text("decision"),
        text("by"),
        text("comment"),
    ];
    output.list(&items, &columns, |item| {
        let given = |value: &Option<String>| value.clone().unwrap_or_default();
        vec![
            item.item.to_string(),
            given(&item.identity),
            item.source.clone(),
            item.account.clone().unwrap_or_else(|| item.native_identity.clone()),
            given(&item.entitlement),
            given(&item.reviewer),
            given(&item.decision),
            given(&item.decided_by),
            given(&item.comment),
        ]
    })
}

/// What became of a file.
#[derive(Serialize)]
struct ImportedFile {
    file: String,
    #[serde(flatten)]
    outcome: ReviewOutcome,
}

async fn import(api: &Api, id: &str, files: &[std::path::PathBuf], output: Output) -> Result {
    let mut imported = Vec::new();
    let mut refused = 0;
    for path in files {
        let bytes = std::fs::read(path).context(|| format!("{} cannot be read", path.display()))?;
        let outcome = api.read_review_sheet(id, &bytes).await?;
        let file = path.display().to_string();
        refused += usize::from(!outcome.taken);
        match output {
            Output::Json => imported.push(ImportedFile { file, outcome }),
            Output::Table => told(path, &outcome)?,
        }
    }
    if output == Output::Json {
        json(&imported)?;
    }
    match refused {
        0 => Ok(()),
        _ => Err(Failure::new(format!(
            "{refused} of {} sheets are refused, and nothing of them is taken",
            files.len()
        ))),
    }
}

fn told(path: &Path, outcome: &ReviewOutcome) -> Result {
    let file = path.display();
    if outcome.taken {
        return print(&format!(
            "{file}: {} new, {} changed, {} unchanged, {} undecided, of {}",
            count(outcome.new.into()),
            count(outcome.changed.into()),
            count(outcome.unchanged.into()),
            count(outcome.undecided.into()),
            outcome.reviewer.as_deref().unwrap_or_default()
        ));
    }
    for row in &outcome.refused {
        match row.line {
            Some(line) => say(&format!("{file}, line {line}: {}", row.reason)),
            None => say(&format!("{file}: {}", row.reason)),
        }
    }
    let named = outcome.refused.len() as u64;
    match outcome.refused_count.saturating_sub(named) {
        0 => {}
        more => say(&format!("{file}: and {} more", count(more))),
    }
    Ok(())
}

async fn decide(args: &ReviewDecideArgs, output: Output) -> Result {
    let mut decisions = Vec::new();
    for (flag, choice, given) in [("--keep", "KEEP", &args.keep), ("--revoke", "REVOKE", &args.revoke)] {
        let Some(given) = given else { continue };
        let items = items(given).map_err(|reason| Failure::usage(format!("{flag} {given}: {reason}")))?;
        decisions.extend(items.into_iter().map(|item| ReviewDecisionDetails {
            item,
            decision: choice.into(),
            comment: args.comment.clone(),
        }));
    }
    let outcome = connect(&args.service)?.decide_review(&args.id, &ReviewDecisions { decisions }).await?;
    if output == Output::Json {
        return json(&outcome);
    }
    print(&format!(
        "{} new, {} changed, {} unchanged",
        count(outcome.new.into()),
        count(outcome.changed.into()),
        count(outcome.unchanged.into())
    ))
}

/// Most items of one command.
const ITEMS_MAX: usize = 10_000;

/// The numbers of a text such as `1-40,42`.
fn items(given: &str) -> std::result::Result<Vec<u32>, String> {
    let mut found = Vec::new();
    for part in given.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<u32>().ok().filter(|number| *number > 0);
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return Err(format!("{part:?}: expected numbers such as 1-40,42"));
        };
        if last < first || (last - first) as usize >= ITEMS_MAX - found.len().min(ITEMS_MAX) {
            return Err(format!(
                "{part:?}: expected a range of at most {ITEMS_MAX} items, the smaller number first"
            ));
        }
        found.extend(first..=last);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn ranges_name_items() {
        assert_eq!(items("1-3, 7").unwrap(), [1, 2, 3, 7]);
        for wrong in ["", "0", "3-1", "a", "1-", "1-20000"] {
            assert!(items(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_list_names_reviewers_and_faults_have_lines() {
        let lines = listed(b"source,entitlement,reviewer\nSAP,,ada\n,\"a,b\",bob\n").unwrap();
        let line = |source: Option<&str>, entitlement: Option<&str>, reviewer: &str| ListedReviewerDetails {
            source: source.map(str::to_owned),
            entitlement: entitlement.map(str::to_owned),
            identity: None,
            reviewer: reviewer.into(),
        };
        assert_eq!(lines, [line(Some("SAP"), None, "ada"), line(None, Some("a,b"), "bob")]);
        for (text, reason) in [
            ("", "it is empty"),
            ("source\nSAP\n", "line 1: there is no column \"reviewer\""),
            ("reviewer,sauce\nada,SAP\n", "line 1: there is a column \"sauce\""),
            ("source,reviewer\nSAP,ada\n\nSAP, \n", "line 4: reviewer is blank"),
            ("source,reviewer\nSAP\n", "line 2: 1 fields: expected 2"),
        ] {
            assert!(listed(text.as_bytes()).unwrap_err().starts_with(reason), "{text:?}");
        }
    }
}
