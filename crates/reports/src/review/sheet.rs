//! Sheets of a review, for reviewers without accounts: what a sheet has, and how one that came back is compared with what
//! was sent.
//!
//! A sheet is accepted as a whole or not at all. Each row must be one that was sent to this reviewer, with every frozen
//! value as it was sent; only `decision` and `comment` are the reviewer's.

use super::{Choice, Review, ReviewItem};
use crate::error::shown;
use chrono::SecondsFormat;
use std::collections::BTreeMap;

/// The columns that the reviewer fills in.
pub const DECISION: &str = "decision";
/// See [`DECISION`].
pub const COMMENT: &str = "comment";
/// Column of the number of an item.
pub const ITEM: &str = "item";
/// Column of the review's id.
pub const REVIEW: &str = "review";
/// Column of the reviewer's name.
const REVIEWER: &str = "reviewer";

/// The columns of a sheet, in their order.
pub const COLUMNS: [&str; 17] = [
    ITEM,
    REVIEWER,
    "identityName",
    "identityDisplayName",
    "identityStatus",
    "managerName",
    "sourceName",
    "accountName",
    "nativeIdentity",
    "entitlement",
    "privileged",
    "disabled",
    "lastUsed",
    DECISION,
    COMMENT,
    REVIEW,
    "digest",
];

/// Largest file that is read as a sheet, in bytes.
pub const SHEET_BYTES_MAX: usize = 32 << 20;

/// Most rows of a refused sheet that are named.
pub const REFUSED_MAX: usize = 100;

/// The cells of an item, in the order of [`COLUMNS`]; an empty text is an empty cell.
pub fn cells(review: &Review, item: &ReviewItem) -> [String; COLUMNS.len()] {
    let frozen = &item.frozen;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let flag = |value: bool| if value { "yes" } else { "no" }.to_owned();
    let decision = item.decision.as_ref();
    [
        item.number.to_string(),
        item.reviewer_now().map(|reviewer| reviewer.name.clone()).unwrap_or_default(),
        text(&frozen.identity_name),
        text(&frozen.identity_display_name),
        text(&frozen.identity_status),
        text(&frozen.manager_name),
        frozen.source_name.clone(),
        text(&frozen.account_name),
        frozen.native_identity.clone(),
        text(&frozen.entitlement),
        flag(frozen.privileged),
        flag(frozen.disabled),
        frozen.last_used.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default(),
        decision.map(|decision| decision.choice.as_str().to_owned()).unwrap_or_default(),
        decision.and_then(|decision| decision.comment.clone()).unwrap_or_default(),
        review.id.to_string(),
        item.digest.clone(),
    ]
}

/// A sheet that came back: the cells of its first sheet, or of its lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    /// The rows with their lines or numbers, the header first. Rows without any text are left out.
    pub rows: Vec<(u64, Vec<String>)>,
}

/// A row that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its line in a CSV file, or its number in a spreadsheet; 0 for the whole sheet.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// What a sheet decides of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetDecision {
    /// The item's number.
    pub item: u32,
    /// The decision.
    pub choice: Choice,
    /// The comment.
    pub comment: Option<String>,
}

/// The decisions of a sheet, for the reviewer whose sheet it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciled {
    /// Name of the reviewer.
    pub reviewer: String,
    /// The decisions, by item.
    pub decisions: Vec<SheetDecision>,
    /// Rows without a decision.
    pub undecided: u32,
}

/// Compares a sheet with the items that were sent.
///
/// # Errors
/// Every row that is not as it was sent, by line; nothing of the sheet may then be taken.
pub fn reconcile(
    review: &Review,
    items: &[ReviewItem],
    sheet: &Sheet,
) -> Result<Reconciled, Vec<RefusedRow>> {
    let mut rows = sheet.rows.iter();
    let whole = |reason: String| vec![RefusedRow { line: 0, reason }];
    let Some((header_line, header)) = rows.next() else {
        return Err(whole("the sheet is empty: expected a header and rows".into()));
    };
    let places = places(header).map_err(|reason| vec![RefusedRow { line: *header_line, reason }])?;
    let by_number: BTreeMap<u32, &ReviewItem> = items.iter().map(|item| (item.number, item)).collect();
    let mut checked = Checking { review, by_number, places, reviewer: None, seen: BTreeMap::new() };
    let mut refused = Vec::new();
    let (mut decisions, mut undecided) = (Vec::new(), 0);
    for (line, row) in rows {
        match checked.row(*line, row) {
            Ok(Some(decision)) => decisions.push(decision),
            Ok(None) => undecided += 1,
            Err(reason) => refused.push(RefusedRow { line: *line, reason }),
        }
    }
    let Some(reviewer) = checked.reviewer else {
        if refused.is_empty() {
            refused = whole("the sheet has no rows: expected the rows of one reviewer".into());
        }
        return Err(refused);
    };
    let missing: Vec<&ReviewItem> = items
        .iter()
        .filter(|item| item.reviewer_now().is_some_and(|own| own.name == reviewer))
        .filter(|item| !checked.seen.contains_key(&item.number))
        .collect();
    if !missing.is_empty() {
        // Perhaps the sheet was made before.
        let (came, expected) = match missing.iter().any(|item| item.handed_over.is_some()) {
            true => ("sent or handed over", "every row, of a sheet that was made after the last hand-over"),
            false => ("sent", "every row"),
        };
        let reason = format!(
            "{} of the rows that were {came} to {} are missing, items {}: expected {expected}",
            missing.len(),
            shown(&reviewer),
            shown(&super::ranges(missing.iter().map(|item| item.number))).trim_matches('"')
        );
        refused.push(RefusedRow { line: 0, reason });
    }
    if refused.is_empty() { Ok(Reconciled { reviewer, decisions, undecided }) } else { Err(refused) }
}

/// Where each of [`COLUMNS`] is in a header.
fn places(header: &[String]) -> Result<[usize; COLUMNS.len()], String> {
    let mut places = [0; COLUMNS.len()];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        let mut found = header.iter().enumerate().filter(|(_, title)| title.trim() == name);
        *place = match (found.next(), found.next()) {
            (Some((at, _)), None) => at,
            (None, _) => {
                return Err(format!(
                    "there is no column {name:?}: expected the columns that were sent, {}",
                    COLUMNS.join(", ")
                ));
            }
            (Some(_), Some(_)) => return Err(format!("there are two columns {name:?}: expected one")),
        };
    }
    Ok(places)
}

struct Checking<'a> {
    review: &'a Review,
    by_number: BTreeMap<u32, &'a ReviewItem>,
    places: [usize; COLUMNS.len()],
    /// Whose sheet it is: the reviewer of the first row that was sent.
    reviewer: Option<String>,
    /// The items of earlier rows, and their lines.
    seen: BTreeMap<u32, u64>,
}

impl Checking<'_> {
    /// What a row decides; `None` if nothing.
    fn row(&mut self, line: u64, row: &[String]) -> Result<Option<SheetDecision>, String> {
        let given = |at: usize| row.get(self.places[at]).map(String::as_str).unwrap_or_default();
        let cell = |name: &str| {
            COLUMNS.iter().position(|column| *column == name).map(given).unwrap_or_default().trim()
        };
        let (id, number) = (cell(REVIEW), cell(ITEM));
        if id != self.review.id.as_str() {
            return Err(format!(
                "it is of review {}: expected {}, the review that the sheet is read for",
                shown(id),
                self.review.id
            ));
        }
        let item = number.parse().ok().and_then(|number: u32| self.by_number.get(&number).copied());
        let Some(item) = item else {
            return Err(format!("item is {}: expected the number of an item of the review", shown(number)));
        };
        let Some(reviewer) = item.reviewer_now() else {
            return Err(format!(
                "item {} has no reviewer: an administrator decides it in the service",
                item.number
            ));
        };
        // Before anything else is said of the row: it may be as it was sent to the reviewer before.
        if let Some(over) = &item.handed_over
            && cell(REVIEWER) != reviewer.name
        {
            return Err(format!(
                "item {} was handed over to {} at {}: expected a sheet that was made after that",
                item.number,
                shown(&reviewer.name),
                over.at.to_rfc3339_opts(SecondsFormat::Secs, true)
            ));
        }
        let whose = self.reviewer.get_or_insert_with(|| reviewer.name.clone());
        if *whose != reviewer.name {
            return Err(format!(
                "item {} was sent to {}: expected rows of {} only, whose sheet this is",
                item.number,
                shown(&reviewer.name),
                shown(whose)
            ));
        }
        if let Some(earlier) = self.seen.insert(item.number, line) {
            return Err(format!("item {} is on line {earlier} already: expected each once", item.number));
        }
        let sent = cells(self.review, item);
        for ((at, name), sent) in COLUMNS.iter().enumerate().zip(&sent) {
            let found = given(at);
            if *name != DECISION && *name != COMMENT && !is_same(sent, found) {
                return Err(format!("{name} is {}: expected {}, as it was sent", shown(found), shown(sent)));
            }
        }
        if item.is_of(&reviewer.id, &reviewer.name) {
            return Err(format!(
                "item {} is access of {}, and nobody reviews their own",
                item.number, reviewer.name
            ));
        }
        let comment = Some(cell(COMMENT)).filter(|text| !text.is_empty()).map(str::to_owned);
        let choice = match cell(DECISION) {
            "" if comment.is_some() => {
                return Err("there is a comment and no decision: expected KEEP or REVOKE".into());
            }
            "" => return Ok(None),
            text => text.parse::<Choice>()?,
        };
        self.review.check_comment(choice, comment.as_deref())?;
        Ok(Some(SheetDecision { item: item.number, choice, comment }))
    }
}

/// Whether a cell is as it was sent. Spreadsheets write line ends in their own way, and drop white space around a text.
fn is_same(sent: &str, found: &str) -> bool {
    let plain = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n").trim().to_owned();
    sent == found || plain(sent) == plain(found)
}
