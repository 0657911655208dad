//! Deciding items of an access review: a page of items, each with a choice and a comment.
//!
//! What is sent is compared with what the items have, and only what differs goes to the API: a decision is its maker's, so
//! sending the decision of somebody else again would take it over.

use crate::api::{Counted, Refusal, encoded};
use crate::fields::{Fields, address};
use crate::form::Posted;
use crate::look::{Moment, count};
use crate::page::{Layout, html, see_other};
use crate::problem::Problem;
use crate::reviews::{Choice, Item, ItemFilter, ROUTE, items, layout, page_of};
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use muster_wire::{ReviewDescription, ReviewItemDescription, ReviewOutcome};
use serde_json::{Value, json};

/// Items of one request of the API.
const FETCHED: u32 = 1_000;
/// Most requests for the items of a form. They are few: their numbers are seldom far apart.
const FETCHES_MAX: usize = 20;

/// An item that can be decided.
struct Open {
    item: Item,
    /// It is access of the visitor: somebody else decides.
    is_own: bool,
    /// What the form says.
    chosen: Choice,
    comment: String,
}

#[derive(Template)]
#[template(path = "review_decisions.html")]
struct DecisionsPage {
    layout: Layout,
    name: String,
    is_open: bool,
    comment_required: bool,
    /// Until when reviewers are to decide.
    ends: Moment,
    /// Whose items they are; empty for those of all.
    reviewer: String,
    rows: Vec<Open>,
    undecided: String,
    only_undecided: bool,
    error: String,
    /// The page of the review.
    review: String,
    /// Where the form is sent to.
    here: String,
    /// The undecided items, and all.
    tabs: [(String, &'static str, bool); 2],
    older: Option<String>,
}

/// Of whom items are shown, and which.
fn wanted(query: &Fields, review: &ReviewDescription, visitor: &Visitor) -> ItemFilter {
    let own = visitor.session.name.as_str();
    let reviews = |progress: &muster_wire::ReviewProgress| progress.reviewer.as_deref() == Some(own);
    let reviewer = match query.has("reviewer") {
        true => query.text("reviewer"),
        // Who manages the review sees the items of all, and most often wants their own.
        false if review.managed && review.progress.iter().any(reviews) => own,
        false => "",
    };
    ItemFilter {
        reviewer: reviewer.to_owned(),
        undecided: query.text("all") != "true",
        after: query.number("after"),
    }
}

/// The address of a page of items.
fn place(id: &str, filter: &ItemFilter, after: u32, done: &str) -> String {
    let all = if filter.undecided { "" } else { "true" };
    let after = if after > 0 { after.to_string() } else { String::new() };
    // An empty reviewer is sent too: it means everybody.
    let path = format!("{}/decide?reviewer={}", page_of(id), encoded(&filter.reviewer));
    address(&path, [("all", all.to_owned()), ("after", after), ("done", done.to_owned())])
}

async fn review_of(visitor: &Visitor, id: &str) -> Result<ReviewDescription, Problem> {
    Ok(visitor.api.get(&format!("{ROUTE}/{}", encoded(id))).await?)
}

fn page(
    visitor: &Visitor,
    review: &ReviewDescription,
    filter: &ItemFilter,
    rows: Vec<Open>,
    last: Option<u32>,
) -> DecisionsPage {
    let all = ItemFilter { undecided: false, after: 0, ..filter.clone() };
    let undecided = ItemFilter { undecided: true, ..all.clone() };
    let of_reviewer =
        review.progress.iter().find(|progress| progress.reviewer.as_deref() == Some(&filter.reviewer));
    let left = of_reviewer.unwrap_or(&review.total).undecided;
    DecisionsPage {
        layout: layout(format!("Decide: {}", review.name), visitor),
        name: review.name.clone(),
        is_open: review.state == "OPEN",
        comment_required: review.comment_required,
        ends: Moment::of(review.ends.as_deref()),
        reviewer: filter.reviewer.clone(),
        rows,
        undecided: count(u64::from(left)),
        only_undecided: filter.undecided,
        error: String::new(),
        review: page_of(&review.id),
        here: place(&review.id, filter, filter.after, ""),
        tabs: [
            (place(&review.id, &undecided, 0, ""), "Undecided", filter.undecided),
            (place(&review.id, &all, 0, ""), "All", !filter.undecided),
        ],
        older: last.map(|last| place(&review.id, filter, last, "")),
    }
}

fn open(visitor: &Visitor, found: ReviewItemDescription) -> Open {
    let is_own = found.identity.as_deref() == Some(visitor.session.name.as_str());
    let (chosen, comment) =
        (Choice::of(found.decision.as_deref()), found.comment.clone().unwrap_or_default());
    Open { item: Item::of(found), is_own, chosen, comment }
}

/// The form.
pub(crate) async fn form(
    visitor: Visitor,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let review = review_of(&visitor, &id).await?;
    let filter = wanted(&query, &review, &visitor);
    let (found, last) = items(&visitor, &id, &filter).await?;
    let rows = found.into_iter().map(|found| open(&visitor, found)).collect();
    let mut page = page(&visitor, &review, &filter, rows, last);
    page.layout = page.layout.noticing(query.text("done"));
    Ok(html(StatusCode::OK, &page))
}

/// The numbers of the items that a form has.
fn numbers(form: &Fields) -> Vec<u32> {
    let mut numbers: Vec<u32> = form.texts("item").filter_map(|number| number.parse().ok()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The items with these numbers, as they are now.
async fn now(visitor: &Visitor, id: &str, numbers: &[u32]) -> Result<Vec<ReviewItemDescription>, Problem> {
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return Ok(Vec::new()) };
    let mut after = first.saturating_sub(1);
    let mut found = Vec::new();
    for _ in 0..FETCHES_MAX {
        let route = format!("{ROUTE}/{}/items?after={after}&limit={FETCHED}", encoded(id));
        let part: Vec<ReviewItemDescription> = visitor.api.get(&route).await?;
        let Some(end) = part.last().map(|item| item.item) else { break };
        found.extend(part.into_iter().filter(|item| numbers.binary_search(&item.item).is_ok()));
        if end >= *last {
            break;
        }
        after = end;
    }
    Ok(found)
}

/// What a form says that the items do not have yet, for the API; or what is wrong with it.
fn changes(rows: &[Open]) -> Result<Vec<Value>, String> {
    let mut changes = Vec::new();
    for Open { item, is_own, chosen, comment } in rows {
        let is_new = *chosen != item.decision || *comment != item.comment;
        match chosen {
            Choice::None if !comment.is_empty() => {
                return Err(format!("Item {} has a comment and no decision.", item.number));
            }
            Choice::None => {}
            Choice::Keep | Choice::Revoke if is_new || *is_own => {
                let word = if *chosen == Choice::Keep { "KEEP" } else { "REVOKE" };
                changes.push(json!({"item": item.number, "decision": word, "comment": comment}));
            }
            Choice::Keep | Choice::Revoke => {}
        }
    }
    match changes.is_empty() {
        true => Err("Nothing was decided: choose Keep or Revoke for an item.".to_owned()),
        false => Ok(changes),
    }
}

/// Records what a form decides.
pub(crate) async fn decide(
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    posted: Posted,
) -> Result<Response, Problem> {
    let Posted { visitor, fields: given } = posted;
    let query = Fields::read(&query.unwrap_or_default());
    let review = review_of(&visitor, &id).await?;
    let filter = wanted(&query, &review, &visitor);
    let rows: Vec<Open> = now(&visitor, &id, &numbers(&given))
        .await?
        .into_iter()
        .map(|found| {
            let row = open(&visitor, found);
            let field = |name: &str| given.text(&format!("{name}-{}", row.item.number));
            let (word, comment) = (field("decision"), field("comment").to_owned());
            Open { chosen: Choice::of(Some(word)), comment, ..row }
        })
        .collect();
    let (status, error) = match changes(&rows) {
        Err(error) => (StatusCode::BAD_REQUEST, error),
        Ok(decisions) => {
            let route = format!("{ROUTE}/{}/decisions", encoded(&id));
            let decided: Result<Counted<ReviewOutcome>, Refusal> =
                visitor.api.send(Method::POST, &route, &json!({"decisions": decisions})).await;
            match decided {
                // Of the undecided items, those that are left have the same place.
                Ok(_) => return Ok(see_other(&place(&id, &filter, filter.after, "decided"))),
                Err(refusal) if refusal.is_about_input() || refusal.status == StatusCode::FORBIDDEN => {
                    (refusal.status, refusal.text)
                }
                Err(refusal) => return Err(refusal.into()),
            }
        }
    };
    let mut page = page(&visitor, &review, &filter, rows, None);
    page.error = error;
    Ok(html(status, &page))
}
