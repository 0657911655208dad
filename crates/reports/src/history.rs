//! The history of identities: what a kept snapshot has of one, and what the differences of consecutive snapshots say.
//!
//! Nothing is recorded between two snapshots. So an event has the time of the first snapshot that shows it, and what
//! was undone before the next snapshot is no event.
//!
//! Times are compared in milliseconds, because answers show milliseconds: a client can ask for a snapshot by the time
//! that it was shown.

use crate::error::{Error, Result, shown};
use crate::nearest::hint;
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

/// Most snapshots that a request for the history of identities reads.
pub const SNAPSHOTS_READ_MAX: usize = 400;

/// A time zone.
pub type Zone = Tz;

/// A type of access item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccessType {
    /// A set of entitlements of one source.
    AccessProfile,
    /// An account.
    Account,
    /// An application that people ask access to.
    App,
    /// A right on a source.
    Entitlement,
    /// A role.
    Role,
}

impl AccessType {
    /// All types.
    pub const ALL: [Self; 5] = [Self::AccessProfile, Self::Account, Self::App, Self::Entitlement, Self::Role];

    /// The published name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessProfile => "accessProfile",
            Self::Account => "account",
            Self::App => "app",
            Self::Entitlement => "entitlement",
            Self::Role => "role",
        }
    }
}

impl FromStr for AccessType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let names = Self::ALL.map(Self::as_str);
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or_else(|| {
            Error::invalid(format!(
                "{} is not a type of access item{}; expected one of {}",
                shown(text),
                hint(text, names),
                names.join(", ")
            ))
        })
    }
}

/// Whether an account may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStatus {
    /// It may.
    Enabled,
    /// It is disabled, and perhaps locked too.
    Disabled,
    /// It is locked.
    Locked,
}

/// A source, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessSource {
    /// Its id.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

/// Something that an identity has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessItem {
    /// Its id. Items of different types may have the same one.
    pub id: String,
    /// Its name for people.
    pub name: Option<String>,
    /// Its source.
    pub source: AccessSource,
    /// What it is for.
    pub description: Option<String>,
    /// What only items of its type have.
    pub detail: AccessDetail,
}

/// What only access items of one type have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessDetail {
    /// An access profile.
    AccessProfile {
        /// How many entitlements it has; 0 if the snapshot does not know the access profile.
        entitlements: i64,
        /// Ids and names of the applications that it belongs to.
        apps: Vec<(Option<String>, Option<String>)>,
        /// Whether the identity has it by itself, and not through a role.
        standalone: Option<bool>,
        /// Whether it can be revoked.
        revocable: Option<bool>,
    },
    /// An account.
    Account {
        /// Its key in the source.
        native_identity: String,
        /// How many entitlements it has.
        entitlements: i64,
        /// Whether it may be used.
        status: AccountStatus,
    },
    /// An application.
    App,
    /// An entitlement.
    Entitlement {
        /// The account's attribute.
        attribute: String,
        /// The attribute's value.
        value: String,
        /// What it is in the source, such as `group`.
        kind: Option<String>,
        /// Whether the identity has it by itself, and not through an access profile.
        standalone: Option<bool>,
        /// Whether it is privileged.
        privileged: Option<bool>,
        /// Whether it is governed.
        governed: Option<bool>,
    },
    /// A role.
    Role {
        /// Whether it can be revoked.
        revocable: Option<bool>,
    },
}

impl AccessItem {
    /// Its type.
    pub fn kind(&self) -> AccessType {
        match self.detail {
            AccessDetail::AccessProfile { .. } => AccessType::AccessProfile,
            AccessDetail::Account { .. } => AccessType::Account,
            AccessDetail::App => AccessType::App,
            AccessDetail::Entitlement { .. } => AccessType::Entitlement,
            AccessDetail::Role { .. } => AccessType::Role,
        }
    }

    /// What it is known by among the items of an identity.
    pub fn key(&self) -> (AccessType, &str) {
        (self.kind(), &self.id)
    }
}

/// An identity in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityState {
    /// Its name for people.
    pub display_name: Option<String>,
    /// When a refresh first made it.
    pub created: Option<DateTime<Utc>>,
    /// Since when it has no authoritative account; `None` while it has one.
    pub left: Option<DateTime<Utc>>,
    /// Its attributes, each with its values.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// What it has, each item once, by [`AccessItem::key`].
    pub access: Vec<Arc<AccessItem>>,
}

impl IdentityState {
    /// How many access items of a type it has.
    pub fn count(&self, kind: AccessType) -> usize {
        self.access.iter().filter(|item| item.kind() == kind).count()
    }
}

/// What a kept snapshot has of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotState {
    /// The snapshot's time.
    pub taken: DateTime<Utc>,
    /// The identity; `None` where the snapshot does not show it.
    pub state: Option<Arc<IdentityState>>,
}

/// Which snapshots are asked for what they have of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// From the newest one down to the first one that has the identity.
    Newest,
    /// The newest one that was made at or before this time.
    At(DateTime<Utc>),
    /// All of them; with times, those made at or after the first and before the second time, and the one before them.
    Between(Option<DateTime<Utc>>, Option<DateTime<Utc>>),
}

/// Which identities a list has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeopleQuery {
    /// The beginning of a first, last or display name, in any case.
    pub starts_with: Option<String>,
    /// Only identities that have left, or only those that have not.
    pub deleted: Option<bool>,
    /// Only active identities, or only others.
    pub active: Option<bool>,
    /// Identities to leave out at the beginning.
    pub offset: u32,
    /// Most identities of the answer.
    pub limit: u32,
}

/// An identity of a list: as the newest kept snapshot that shows it has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedIdentity {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub display_name: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Whether it has not left and its status is neither DISABLED nor TERMINATED.
    pub active: bool,
    /// When it left: since when it has no authoritative account, or the first snapshot that does not show it any more.
    pub deleted: Option<DateTime<Utc>>,
}

/// An identity as one snapshot has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenIdentity {
    /// The snapshot's time.
    pub taken: DateTime<Utc>,
    /// The identity.
    pub state: Arc<IdentityState>,
    /// When it left, as [`ListedIdentity::deleted`].
    pub deleted: Option<DateTime<Utc>>,
}

/// The new value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeChange {
    /// The attribute's name.
    pub name: String,
    /// Its values before; none if it had no value.
    pub before: Vec<String>,
    /// Its values since; none if it has no value any more.
    pub since: Vec<String>,
}

/// A difference of an identity between a snapshot and the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEvent {
    /// The time of the first snapshot that shows the change.
    pub at: DateTime<Utc>,
    /// What changed.
    pub change: Change,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Attributes have other values.
    Attributes(Vec<AttributeChange>),
    /// An account may be used, or may not any more.
    Status {
        /// The account, as it is since.
        account: Arc<AccessItem>,
        /// Its status before.
        before: AccountStatus,
        /// Its status since.
        since: AccountStatus,
    },
    /// The identity lost an access item.
    Removed(Arc<AccessItem>),
    /// The identity gained an access item.
    Added(Arc<AccessItem>),
}

impl Change {
    /// The type of the access item that it is about, if it is about one.
    pub fn access_type(&self) -> Option<AccessType> {
        match self {
            Self::Attributes(_) => None,
            Self::Status { account: item, .. } | Self::Removed(item) | Self::Added(item) => Some(item.kind()),
        }
    }
}

/// How long a bar of a histogram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// A day of the calendar.
    Day,
    /// A month of the calendar.
    Month,
}

impl FromStr for Interval {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "day" => Ok(Self::Day),
            "month" => Ok(Self::Month),
            other => Err(Error::invalid(format!("interval is {}: expected day or month", shown(other)))),
        }
    }
}

impl Interval {
    /// The same time of day one interval later.
    pub fn after(self, start: DateTime<Utc>) -> DateTime<Utc> {
        let end = match self {
            Self::Day => start.checked_add_days(chrono::Days::new(1)),
            Self::Month => start.checked_add_months(chrono::Months::new(1)),
        };
        end.unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// When the interval of this time begins, by the clocks of `zone`.
    fn start(self, at: DateTime<Utc>, zone: Zone) -> DateTime<Utc> {
        let date = at.with_timezone(&zone).date_naive();
        let date = match self {
            Self::Day => date,
            Self::Month => NaiveDate::from_ymd_opt(date.year(), date.month(), 1).unwrap_or(date),
        };
        let midnight = date.and_time(NaiveTime::MIN);
        let first = zone.from_local_datetime(&midnight).earliest();
        // Where clocks are set forward at midnight, the day begins after the gap.
        let first = first.or_else(|| GapInfo::new(&midnight, &zone).and_then(|gap| gap.end));
        first.map_or(at, |first| first.to_utc())
    }
}

/// Reads a time: RFC 3339, or a date.
///
/// # Errors
/// `Invalid`, with `name` for the place.
fn time(name: &str, text: &str, of_date: NaiveTime) -> Result<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    date.map(|date| date.and_time(of_date).and_utc()).map_err(|_| {
        Error::invalid(format!(
            "{name} is {}: expected a time such as 2026-03-31T12:00:00Z, or a date such as 2026-03-31",
            shown(text)
        ))
    })
}

/// Reads the time of a snapshot. A date means the end of the day in UTC.
///
/// # Errors
/// `Invalid`, with `name` for the place.
pub fn moment(name: &str, text: &str) -> Result<DateTime<Utc>> {
    time(name, text, NaiveTime::from_hms_milli_opt(23, 59, 59, 999).unwrap_or_default())
}

/// Reads the beginning or the end of a span of time. A date means the beginning of the day in UTC.
///
/// # Errors
/// `Invalid`, with `name` for the place.
pub fn edge(name: &str, text: &str) -> Result<DateTime<Utc>> {
    time(name, text, NaiveTime::MIN)
}

/// The access items of a snapshot, of these types; of all types if there are none.
pub fn items(state: &IdentityState, types: &[AccessType]) -> Vec<Arc<AccessItem>> {
    let is_asked = |item: &&Arc<AccessItem>| types.is_empty() || types.contains(&item.kind());
    state.access.iter().filter(is_asked).cloned().collect()
}

/// Access items that were gained and lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessDifference {
    /// Gained, by [`AccessItem::key`].
    pub added: Vec<Arc<AccessItem>>,
    /// Lost, in the same order.
    pub removed: Vec<Arc<AccessItem>>,
}

/// The difference of access from one state to another. An identity that a snapshot does not show has nothing there.
pub fn difference(before: Option<&IdentityState>, since: Option<&IdentityState>) -> AccessDifference {
    let access = |state: Option<&IdentityState>| -> Vec<Arc<AccessItem>> {
        state.map(|state| state.access.clone()).unwrap_or_default()
    };
    let (before, since) = (access(before), access(since));
    let lacking = |all: &[Arc<AccessItem>], other: &[Arc<AccessItem>]| {
        let is_other =
            |item: &&Arc<AccessItem>| other.binary_search_by(|known| known.key().cmp(&item.key())).is_err();
        all.iter().filter(is_other).cloned().collect()
    };
    AccessDifference { added: lacking(&since, &before), removed: lacking(&before, &since) }
}

/// The events of these snapshots, which are in order with the newest first. The oldest one is where the history begins:
/// what it has is not an event.
///
/// Newest first; of one snapshot, changed attributes, changed statuses, lost and then gained items.
pub fn events(states: &[SnapshotState]) -> Vec<HistoryEvent> {
    let mut events = Vec::new();
    for pair in states.windows(2) {
        let [since, before] = pair else { continue };
        let changes = changes(before.state.as_ref(), since.state.as_ref());
        events.extend(changes.into_iter().map(|change| HistoryEvent { at: since.taken, change }));
    }
    events
}

fn changes(before: Option<&Arc<IdentityState>>, since: Option<&Arc<IdentityState>>) -> Vec<Change> {
    let mut changes = Vec::new();
    if let (Some(before), Some(since)) = (before, since) {
        if Arc::ptr_eq(before, since) {
            return changes;
        }
        let attributes = changed_attributes(before, since);
        if !attributes.is_empty() {
            changes.push(Change::Attributes(attributes));
        }
        changes.extend(changed_statuses(before, since));
    }
    let AccessDifference { added, removed } =
        difference(before.map(|state| &**state), since.map(|state| &**state));
    changes.extend(removed.into_iter().map(Change::Removed));
    changes.extend(added.into_iter().map(Change::Added));
    changes
}

fn changed_attributes(before: &IdentityState, since: &IdentityState) -> Vec<AttributeChange> {
    let names = before.attributes.keys().chain(since.attributes.keys());
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    let values = |state: &IdentityState, name: &str| state.attributes.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .map(|name| AttributeChange {
            name: name.clone(),
            before: values(before, name),
            since: values(since, name),
        })
        .filter(|change| change.before != change.since)
        .collect()
}

fn changed_statuses<'a>(
    before: &'a IdentityState,
    since: &'a IdentityState,
) -> impl Iterator<Item = Change> + 'a {
    since.access.iter().filter_map(|account| {
        let AccessDetail::Account { status: now, .. } = account.detail else { return None };
        let earlier = before.access.binary_search_by(|known| known.key().cmp(&account.key())).ok()?;
        let AccessDetail::Account { status: was, .. } = before.access[earlier].detail else { return None };
        (was != now).then(|| Change::Status { account: Arc::clone(account), before: was, since: now })
    })
}

/// How many events each interval has, the newest interval first. An interval without events is left out.
pub fn histogram(events: &[HistoryEvent], interval: Interval, zone: Zone) -> Vec<(DateTime<Utc>, u64)> {
    let mut bars: BTreeMap<DateTime<Utc>, u64> = BTreeMap::new();
    for event in events {
        *bars.entry(interval.start(event.at, zone)).or_default() += 1;
    }
    bars.into_iter().rev().collect()
}

#[cfg(test)]
mod tests;
