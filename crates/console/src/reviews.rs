//! Access reviews: the list, one with its progress and items, its sheets, and closing it. Decisions are in
//! `review_decisions.rs`.

use crate::api::encoded;
use crate::fields::{Fields, address};
use crate::files::passed;
use crate::form::Posted;
use crate::look::{Moment, NOTHING, count};
use crate::page::{Layout, Section, shown};
use crate::problem::Problem;
use crate::question::{Question, act};
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::Method;
use axum::http::header::HeaderMap;
use axum::response::Response;
use muster_wire::{ReviewDescription, ReviewItemDescription, ReviewProgress};

/// The route of the API.
pub(crate) const ROUTE: &str = "/muster/v1/reviews";
/// Items of a page.
pub(crate) const PAGE: usize = 50;

pub(crate) fn layout(title: impl Into<String>, visitor: &Visitor) -> Layout {
    Layout::new(title, Section::Reviews, Some(&visitor.session))
}

/// The page of a review.
pub(crate) fn page_of(id: &str) -> String {
    format!("/ui/reviews/{}", encoded(id))
}

/// How far somebody is, as a page shows it.
pub(crate) struct Numbers {
    pub(crate) items: String,
    pub(crate) keep: String,
    pub(crate) revoke: String,
    pub(crate) undecided: String,
    /// How much is decided, of 100.
    pub(crate) percent: u32,
}

impl Numbers {
    pub(crate) fn of(progress: &ReviewProgress) -> Self {
        let shown = |number: u32| count(u64::from(number));
        let decided = progress.items.saturating_sub(progress.undecided);
        Self {
            items: shown(progress.items),
            keep: shown(progress.keep),
            revoke: shown(progress.revoke),
            undecided: shown(progress.undecided),
            // Rounded down, so that 100 means all.
            percent: (u64::from(decided) * 100).checked_div(u64::from(progress.items)).map_or(100, narrow),
        }
    }
}

fn narrow(percent: u64) -> u32 {
    u32::try_from(percent.min(100)).unwrap_or(100)
}

/// Who reviews, in words.
fn rule(reviewers: &str) -> &'static str {
    match reviewers {
        "MANAGER" => "The manager of each identity",
        "SOURCE_OWNER" => "The owner of each source",
        "LIST" => "Who a list names",
        _ => NOTHING,
    }
}

struct Row {
    address: String,
    name: String,
    is_open: bool,
    frozen: Moment,
    numbers: Numbers,
    ends: Moment,
    due: Moment,
}

#[derive(Template)]
#[template(path = "reviews.html")]
struct ReviewsPage {
    layout: Layout,
    may_manage: bool,
    rows: Vec<Row>,
}

/// The list.
pub(crate) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let reviews: Vec<ReviewDescription> = visitor.api.get(ROUTE).await?;
    let row = |review: ReviewDescription| Row {
        address: page_of(&review.id),
        is_open: review.state == "OPEN",
        frozen: Moment::of(Some(&review.frozen_at)),
        numbers: Numbers::of(&review.total),
        ends: Moment::of(review.ends.as_deref()),
        due: Moment::of(review.due.as_deref()),
        name: review.name,
    };
    shown(&ReviewsPage {
        layout: layout("Access reviews", &visitor).noticing(query.text("done")),
        may_manage: visitor.session.may_manage_reviews(),
        rows: reviews.into_iter().map(row).collect(),
    })
}

/// Which items are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ItemFilter {
    pub(crate) reviewer: String,
    pub(crate) undecided: bool,
    pub(crate) after: u32,
}

impl ItemFilter {
    pub(crate) fn of(query: &Fields) -> Self {
        Self {
            reviewer: query.text("reviewer").to_owned(),
            undecided: query.text("undecided") == "true",
            after: query.number("after"),
        }
    }

    /// An address with this filter, after the item with a number.
    pub(crate) fn address(&self, path: &str, after: u32) -> String {
        let undecided = if self.undecided { "true" } else { "" };
        let after = if after > 0 { after.to_string() } else { String::new() };
        let fields =
            [("reviewer", self.reviewer.clone()), ("undecided", undecided.to_owned()), ("after", after)];
        address(path, fields)
    }
}

/// A page of items, and the number of its last if others follow.
pub(crate) async fn items(
    visitor: &Visitor,
    id: &str,
    filter: &ItemFilter,
) -> Result<(Vec<ReviewItemDescription>, Option<u32>), Problem> {
    let route = filter.address(&format!("{ROUTE}/{}/items", encoded(id)), filter.after);
    // One more tells whether there is a next page.
    let route = address(&route, [("limit", (PAGE + 1).to_string())]);
    let mut items: Vec<ReviewItemDescription> = visitor.api.get(&route).await?;
    let follows = items.len() > PAGE;
    items.truncate(PAGE);
    let last = items.last().map(|item| item.item).filter(|_| follows);
    Ok((items, last))
}

/// What an item is about, as a page shows it.
pub(crate) struct Item {
    pub(crate) number: u32,
    pub(crate) identity: String,
    pub(crate) source: String,
    pub(crate) account: String,
    pub(crate) entitlement: String,
    /// What a reviewer should know of the account.
    pub(crate) remarks: Vec<&'static str>,
    pub(crate) last_used: Moment,
    pub(crate) reviewer: String,
    /// Why it is this reviewer.
    pub(crate) assigned: String,
    pub(crate) decision: Choice,
    pub(crate) by: String,
    pub(crate) at: Moment,
    pub(crate) comment: String,
}

/// A decision as a page shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    None,
    Keep,
    Revoke,
}

impl Choice {
    /// From the word of the API.
    pub(crate) fn of(word: Option<&str>) -> Self {
        match word {
            Some("KEEP") => Self::Keep,
            Some("REVOKE") => Self::Revoke,
            Some(_) | None => Self::None,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "Undecided",
            Self::Keep => "Keep",
            Self::Revoke => "Revoke",
        }
    }

    /// A sign beside the word, so that nobody needs the colour.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::None => "◌",
            Self::Keep => "✓",
            Self::Revoke => "✕",
        }
    }

    /// The class of its colour.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::None => "quiet",
            Self::Keep => "good",
            Self::Revoke => "bad",
        }
    }
}

impl Item {
    pub(crate) fn of(item: ReviewItemDescription) -> Self {
        let marks = [(item.privileged, "privileged"), (item.disabled, "disabled")];
        let name = item.identity.unwrap_or_default();
        Self {
            number: item.item,
            identity: match item.identity_display_name.filter(|display| !display.is_empty()) {
                Some(display) if display == name || name.is_empty() => display,
                Some(display) => format!("{display} ({name})"),
                None if name.is_empty() => "nobody".to_owned(),
                None => name,
            },
            source: item.source,
            account: item.account.unwrap_or(item.native_identity),
            entitlement: item.entitlement.unwrap_or_default(),
            remarks: marks.into_iter().filter_map(|(is, mark)| is.then_some(mark)).collect(),
            last_used: Moment::of(item.last_used.as_deref()),
            reviewer: item.reviewer.unwrap_or_default(),
            assigned: item.assigned,
            decision: Choice::of(item.decision.as_deref()),
            by: item.decided_by.unwrap_or_default(),
            at: Moment::of(item.decided.as_deref()),
            comment: item.comment.unwrap_or_default(),
        }
    }
}

struct ReviewerRow {
    name: String,
    display_name: String,
    numbers: Numbers,
    /// The page of the reviewer's items; empty for the items without a reviewer.
    address: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "review.html")]
struct ReviewPage {
    layout: Layout,
    review: ReviewDescription,
    is_open: bool,
    rule: &'static str,
    frozen: Moment,
    created: Moment,
    closed: Moment,
    ends: Moment,
    reminds: Moment,
    due: Moment,
    total: Numbers,
    reviewers: Vec<ReviewerRow>,
    may_decide: bool,
    may_manage: bool,
    filter: ItemFilter,
    items: Vec<Item>,
    here: String,
    snapshot: String,
    revokes: String,
    older: Option<String>,
}

/// One review.
pub(crate) async fn one(
    visitor: Visitor,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let filter = ItemFilter::of(&query);
    let review: ReviewDescription = visitor.api.get(&format!("{ROUTE}/{}", encoded(&id))).await?;
    let (found, last) = items(&visitor, &id, &filter).await?;
    let here = page_of(&review.id);
    let reviewer = |progress: &ReviewProgress| {
        let name = progress.reviewer.clone().unwrap_or_default();
        let own = ItemFilter { reviewer: name.clone(), ..ItemFilter::default() };
        ReviewerRow {
            address: if name.is_empty() { String::new() } else { own.address(&here, 0) + "#items" },
            is_chosen: !name.is_empty() && name == filter.reviewer,
            display_name: progress.display_name.clone().filter(|shown| *shown != name).unwrap_or_default(),
            numbers: Numbers::of(progress),
            name,
        }
    };
    let is_open = review.state == "OPEN";
    let may_decide = is_open && visitor.session.may_decide();
    shown(&ReviewPage {
        layout: layout(review.name.as_str(), &visitor).noticing(query.text("done")),
        is_open,
        rule: rule(&review.reviewers),
        frozen: Moment::of(Some(&review.frozen_at)),
        created: Moment::of(Some(&review.created)),
        closed: Moment::of(review.closed.as_deref()),
        ends: Moment::of(review.ends.as_deref()),
        reminds: Moment::of(review.reminds.as_deref()),
        due: Moment::of(review.due.as_deref()),
        total: Numbers::of(&review.total),
        reviewers: review.progress.iter().map(reviewer).collect(),
        may_decide,
        may_manage: review.managed && visitor.session.may_manage_reviews(),
        items: found.into_iter().map(Item::of).collect(),
        snapshot: format!("/ui/snapshots/{}", encoded(&review.snapshot_id)),
        revokes: match visitor.session.may_start() {
            true => address("/ui/new/REVIEW_REVOKES", [("review", review.id.clone())]),
            false => String::new(),
        },
        older: last.map(|last| filter.address(&here, last) + "#items"),
        filter,
        here,
        review,
    })
}

/// The sheets for reviewers without accounts, as an archive. The API records the download.
pub(crate) async fn sheets(
    visitor: Visitor,
    Path((id, format)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let route = address(&format!("{ROUTE}/{}/sheets", encoded(&id)), [("format", format)]);
    passed(&visitor, &route, &headers).await
}

const CLOSE: Question = Question {
    section: Section::Reviews,
    title: "Close an access review",
    consequence: "Its decisions are final then. What nobody has decided stays undecided.",
    yes: "Close the review",
    word: "close",
};

/// Asks whether to close it.
pub(crate) async fn ask_close(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    let review: ReviewDescription = visitor.api.get(&format!("{ROUTE}/{}", encoded(&id))).await?;
    let open = match review.total.undecided {
        0 => String::new(),
        undecided => format!(" {} items are undecided.", count(u64::from(undecided))),
    };
    let question = format!("Close the review {}?{open}", review.name);
    CLOSE.ask(&visitor, question, page_of(&review.id))
}

/// Closes it.
pub(crate) async fn close(Path(id): Path<String>, posted: Posted) -> Result<Response, Problem> {
    let route = format!("{ROUTE}/{}/close", encoded(&id));
    act(&posted, Method::POST, &route, &format!("{}?done=closed", page_of(&id))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_is_complete_when_every_item_is_decided() {
        let percent = |items, undecided| {
            Numbers::of(&ReviewProgress { items, undecided, ..ReviewProgress::default() }).percent
        };
        assert_eq!([percent(0, 0), percent(3, 3), percent(3, 1), percent(100_000, 1)], [100, 0, 66, 99]);
        assert_eq!(percent(7, 0), 100);
    }

    #[test]
    fn a_filter_is_in_the_address() {
        let filter = ItemFilter { reviewer: "a&b".into(), undecided: true, after: 0 };
        assert_eq!(filter.address("/ui/reviews/r", 7), "/ui/reviews/r?reviewer=a%26b&undecided=true&after=7");
        assert_eq!(ItemFilter::default().address("/ui/reviews/r", 0), "/ui/reviews/r");
        let read = ItemFilter::of(&Fields::read("reviewer=a%26b&undecided=true&after=x"));
        assert_eq!(read, filter);
    }
}
