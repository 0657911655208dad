//! How far a review is: what is asked for of its items, what its reviewers have decided, and what they are told.

use super::{Choice, Review, ReviewItem, Reviewer};
use crate::message::{Message, Severity};
use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::BTreeMap;

/// A closed review with its items and their decisions, for a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewedItems {
    /// The review.
    pub review: Review,
    /// Its items, by number.
    pub items: Vec<ReviewItem>,
}

impl ReviewedItems {
    /// What a reader of a report must know of the review.
    pub fn message(&self) -> Message {
        let Review { id, plan, frozen_at, digest, closing, .. } = &self.review;
        let second = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let closed = closing.as_ref().map(|closing| {
            format!(
                "closed at {} by {}: {} kept, {} revoked, {} undecided",
                second(closing.at),
                closing.by,
                closing.keep,
                closing.revoke,
                closing.undecided
            )
        });
        let due = self.review.due().map(|due| format!("; revokes are due by {}", second(due)));
        let text = format!(
            "access review {:?}, {id}, of the snapshot of {}, {} items with the digest {digest}; {}{}",
            plan.name,
            second(*frozen_at),
            self.items.len(),
            closed.unwrap_or_else(|| "open".to_owned()),
            due.unwrap_or_default()
        );
        Message { severity: Severity::Info, key: "review".into(), text }
    }
}

/// What reviewers are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewNews {
    /// The review has begun, with items of theirs.
    Opened,
    /// Items were handed over to them.
    HandedOver,
    /// The time to decide ends.
    Ends,
}

impl ReviewNews {
    /// The type of the notice.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Opened => "review.opened",
            Self::HandedOver => "review.handed_over",
            Self::Ends => "review.ends",
        }
    }
}

/// Which items of a review are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedItems {
    /// Only those that this identity reviews, of which id and name are given.
    pub reviewed_by: Option<(String, String)>,
    /// Only those of the reviewer with this name.
    pub reviewer: Option<String>,
    /// Only those of these sources; of all when `None`.
    pub sources: Option<Vec<String>>,
    /// Only those without a decision.
    pub undecided: bool,
    /// Only these numbers; all when `None`.
    pub numbers: Option<Vec<u32>>,
    /// Only those after the item with this number.
    pub after: u32,
    /// At most so many; all when `None`.
    pub limit: Option<u32>,
}

impl WantedItems {
    /// Whether an item is asked for, the limit aside.
    pub fn wants(&self, item: &ReviewItem) -> bool {
        let now = item.reviewer_now();
        item.number > self.after
            && self.reviewed_by.as_ref().is_none_or(|(id, name)| item.is_reviewed_by(id, name))
            && self.reviewer.as_ref().is_none_or(|name| now.is_some_and(|reviewer| reviewer.name == *name))
            && self.sources.as_ref().is_none_or(|sources| sources.contains(&item.frozen.source_id))
            && !(self.undecided && item.decision.is_some())
            && self.numbers.as_ref().is_none_or(|numbers| numbers.contains(&item.number))
    }
}

/// How far the items of one reviewer are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewerProgress {
    /// The reviewer; `None` for the items without one.
    pub reviewer: Option<Reviewer>,
    /// Items.
    pub items: u32,
    /// Of these, kept.
    pub keep: u32,
    /// Revoked.
    pub revoke: u32,
}

impl ReviewerProgress {
    /// Items that are not decided.
    pub fn undecided(&self) -> u32 {
        self.items - self.keep - self.revoke
    }

    fn add(&mut self, item: &ReviewItem) {
        self.items += 1;
        match item.decision.as_ref().map(|decision| decision.choice) {
            Some(Choice::Keep) => self.keep += 1,
            Some(Choice::Revoke) => self.revoke += 1,
            None => {}
        }
    }
}

/// The progress by reviewer, by name; the items without a reviewer are the last.
pub fn progress(items: &[ReviewItem]) -> Vec<ReviewerProgress> {
    let mut by_name: BTreeMap<(bool, Option<&Reviewer>), ReviewerProgress> = BTreeMap::new();
    for item in items {
        let reviewer = item.reviewer_now();
        let of = by_name.entry((reviewer.is_none(), reviewer)).or_insert_with(|| ReviewerProgress {
            reviewer: reviewer.cloned(),
            ..ReviewerProgress::default()
        });
        of.add(item);
    }
    by_name.into_values().collect()
}

/// The progress of all items.
pub fn total(reviewers: &[ReviewerProgress]) -> ReviewerProgress {
    let sum = |all: ReviewerProgress, one: &ReviewerProgress| ReviewerProgress {
        reviewer: None,
        items: all.items + one.items,
        keep: all.keep + one.keep,
        revoke: all.revoke + one.revoke,
    };
    reviewers.iter().fold(ReviewerProgress::default(), sum)
}

/// Numbers as ranges, `1-3 7 9-10`, for the audit trail.
pub fn ranges(numbers: impl IntoIterator<Item = u32>) -> String {
    let mut found: Vec<(u32, u32)> = Vec::new();
    let mut sorted: Vec<u32> = numbers.into_iter().collect();
    sorted.sort_unstable();
    for number in sorted {
        match found.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => found.push((number, number)),
        }
    }
    let text = |(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    found.iter().map(text).collect::<Vec<_>>().join(" ")
}
