//! What requests for the history of identities ask for.
//!
//! Types of event and of access item are repeated parameters or joined by commas: published clients write either.

use crate::collection::Part;
use crate::failure::Failure;
use crate::input::{Id, Input, Query};
use crate::state::AppState;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use muster_reports::error::shown;
use muster_reports::history::{AccessType, Change, Interval, PeopleQuery, Zone, edge, moment};
use muster_reports::nearest::hint;
use muster_reports::schedule::time_zone;

/// Most characters of the beginning of a name.
const BEGINNING_CHARACTERS_MAX: usize = 128;

/// The names of types of event: as events have them, and as the published parameter shows them.
const EVENT_NAMES: [(&str, &str, Option<EventKind>); 6] = [
    ("AccessItemAssociated", "AccessAddedEvent", Some(EventKind::Added)),
    ("AccessItemRemoved", "AccessRemovedEvent", Some(EventKind::Removed)),
    ("AttributesChanged", "AttributesChangedEvent", Some(EventKind::Attributes)),
    ("AccountStatusChanged", "AccountStatusChangedEvent", Some(EventKind::Status)),
    // Published, and never there.
    ("IdentityCertified", "IdentityCertifiedEvent", None),
    ("AccessRequested", "AccessRequestedEvent", None),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EventKind {
    Added,
    Removed,
    Attributes,
    Status,
}

/// Which identities are listed.
pub(crate) struct PeopleRequest(pub(super) PeopleQuery);

impl Input for PeopleRequest {
    async fn read(_: &AppState, parts: Parts, _: Body) -> Result<Self, Failure> {
        let query = Query::of(&parts)?;
        let Part { limit, offset, .. } = Part::of(&query)?;
        let starts_with = query.text("starts-with-query").map(str::to_owned);
        if starts_with.as_ref().is_some_and(|text| text.chars().count() > BEGINNING_CHARACTERS_MAX) {
            return Err(Failure::invalid(format!(
                "starts-with-query is too long: expected at most {BEGINNING_CHARACTERS_MAX} characters"
            )));
        }
        let (deleted, active) = (choice(&query, "is-deleted")?, choice(&query, "is-active")?);
        Ok(Self(PeopleQuery { starts_with, deleted, active, offset, limit }))
    }
}

/// True, false, or nothing.
fn choice(query: &Query, name: &str) -> Result<Option<bool>, Failure> {
    query.text(name).map(|_| query.flag(name)).transpose()
}

fn edge_of(query: &Query, name: &str) -> Result<Option<DateTime<Utc>>, Failure> {
    Ok(query.text(name).map(|text| edge(name, text)).transpose()?)
}

fn moment_of(query: &Query, name: &str) -> Result<Option<DateTime<Utc>>, Failure> {
    Ok(query.text(name).map(|text| moment(name, text)).transpose()?)
}

/// A type of access item, with its place.
fn access_type(name: &str, text: &str) -> Result<AccessType, Failure> {
    text.parse()
        .map_err(|error: muster_reports::Error| Failure::invalid(format!("{name}: {}", error.message)))
}

/// The values of a parameter.
fn values<'a>(query: &'a Query, name: &'a str) -> impl Iterator<Item = &'a str> {
    query.texts(name).flat_map(|text| text.split(',')).map(str::trim).filter(|text| !text.is_empty())
}

fn access_types(query: &Query) -> Result<Vec<AccessType>, Failure> {
    let name = "accessItemTypes";
    values(query, name).map(|text| access_type(name, text)).collect()
}

/// Which access items of an identity are listed.
pub(crate) struct AccessRequest {
    pub(super) id: String,
    pub(super) kind: AccessType,
    pub(super) page: Part,
}

impl Input for AccessRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let Id(id) = Id::of(&mut parts).await?;
        let query = Query::of(&parts)?;
        let kind = query.text("type").map(|text| access_type("type", text)).transpose()?;
        Ok(Self { id, kind: kind.unwrap_or(AccessType::Account), page: Part::of(&query)? })
    }
}

/// Which snapshots of an identity are listed.
pub(crate) struct SnapshotsRequest {
    pub(super) id: String,
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) before: Option<DateTime<Utc>>,
    pub(super) page: Part,
}

impl Input for SnapshotsRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let Id(id) = Id::of(&mut parts).await?;
        let query = Query::of(&parts)?;
        let from = edge_of(&query, "start")?;
        let interval = query.text("interval").map(str::parse::<Interval>).transpose()?;
        let before = match (from, interval) {
            (Some(from), Some(interval)) => Some(interval.after(from)),
            (None, Some(_)) => {
                return Err(Failure::invalid("interval has no start: expected the parameter start too"));
            }
            (_, None) => None,
        };
        Ok(Self { id, from, before, page: Part::of(&query)? })
    }
}

/// An identity at a time.
pub(crate) struct AtRequest {
    pub(super) id: String,
    pub(super) moment: DateTime<Utc>,
}

impl AtRequest {
    async fn of(parts: &mut Parts) -> Result<Self, Failure> {
        let both = Path::<(String, String)>::from_request_parts(parts, &()).await;
        let Path((id, date)) =
            both.map_err(|_| Failure::invalid("the path is not UTF-8: expected an id and a time"))?;
        Ok(Self { id, moment: moment("date", &date)? })
    }
}

impl Input for AtRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        Self::of(&mut parts).await
    }
}

/// What an identity had at a time.
pub(crate) struct AccessAtRequest {
    pub(super) id: String,
    pub(super) moment: DateTime<Utc>,
    pub(super) kind: Option<AccessType>,
}

impl Input for AccessAtRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let AtRequest { id, moment } = AtRequest::of(&mut parts).await?;
        let query = Query::of(&parts)?;
        let kind = query.text("type").map(|text| access_type("type", text)).transpose()?;
        Ok(Self { id, moment, kind })
    }
}

/// Which types of event are listed; all where a list is empty.
pub(crate) struct EventFilter {
    kinds: Option<Vec<EventKind>>,
    types: Vec<AccessType>,
}

impl EventFilter {
    fn of(query: &Query) -> Result<Self, Failure> {
        let names = || EVENT_NAMES.iter().flat_map(|(name, other, _)| [*name, *other]);
        let mut kinds = None;
        for text in values(query, "eventTypes") {
            let named = EVENT_NAMES.iter().find(|(name, other, _)| text == *name || text == *other);
            let Some((_, _, kind)) = named else {
                return Err(Failure::invalid(format!(
                    "eventTypes has {}, which is not a type of event{}; expected some of {}",
                    shown(text),
                    hint(text, names()),
                    EVENT_NAMES.map(|(name, _, _)| name).join(", ")
                )));
            };
            kinds.get_or_insert_with(Vec::new).extend(*kind);
        }
        Ok(Self { kinds, types: access_types(query)? })
    }

    pub(super) fn has(&self, change: &Change) -> bool {
        let kind = match change {
            Change::Attributes(_) => EventKind::Attributes,
            Change::Status { .. } => EventKind::Status,
            Change::Removed(_) => EventKind::Removed,
            Change::Added(_) => EventKind::Added,
        };
        let is_of_type = |of: AccessType| self.types.is_empty() || self.types.contains(&of);
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
            && change.access_type().is_none_or(is_of_type)
    }
}

/// Which events of an identity are listed.
pub(crate) struct EventsRequest {
    pub(super) id: String,
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) filter: EventFilter,
    pub(super) page: Part,
}

impl Input for EventsRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let Id(id) = Id::of(&mut parts).await?;
        let query = Query::of(&parts)?;
        let (from, filter) = (edge_of(&query, "from")?, EventFilter::of(&query)?);
        Ok(Self { id, from, filter, page: Part::of(&query)? })
    }
}

/// How the events of an identity are counted.
pub(crate) struct SummaryRequest {
    pub(super) id: String,
    pub(super) before: Option<DateTime<Utc>>,
    pub(super) interval: Interval,
    pub(super) zone: Zone,
    pub(super) page: Part,
}

impl Input for SummaryRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let Id(id) = Id::of(&mut parts).await?;
        let query = Query::of(&parts)?;
        let interval = query.text("interval").map(str::parse).transpose()?.unwrap_or(Interval::Month);
        let zone = time_zone(query.text("time-zone").unwrap_or("UTC"))?;
        Ok(Self { id, before: edge_of(&query, "before")?, interval, zone, page: Part::of(&query)? })
    }
}

/// Which snapshots of an identity are compared.
pub(crate) struct CompareRequest {
    pub(super) id: String,
    pub(super) first: Option<DateTime<Utc>>,
    pub(super) second: Option<DateTime<Utc>>,
    pub(super) types: Vec<AccessType>,
    pub(super) page: Part,
}

impl Input for CompareRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let Id(id) = Id::of(&mut parts).await?;
        let query = Query::of(&parts)?;
        let mut types = access_types(&query)?;
        if types.is_empty() {
            types.extend(AccessType::ALL);
        }
        let (first, second) = (moment_of(&query, "snapshot1")?, moment_of(&query, "snapshot2")?);
        Ok(Self { id, first, second, types, page: Part::of(&query)? })
    }
}

/// Which snapshots of an identity are compared, in one type of access item.
pub(crate) struct CompareTypeRequest {
    pub(super) id: String,
    pub(super) kind: AccessType,
    pub(super) first: Option<DateTime<Utc>>,
    pub(super) second: Option<DateTime<Utc>>,
    /// Only gained items, or only lost ones.
    pub(super) added: Option<bool>,
    pub(super) page: Part,
}

impl Input for CompareTypeRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let both = Path::<(String, String)>::from_request_parts(&mut parts, &()).await;
        let Path((id, kind)) = both.map_err(|_| {
            Failure::invalid("the path is not UTF-8: expected an id and a type of access item")
        })?;
        let kind = access_type("the path", &kind)?;
        let query = Query::of(&parts)?;
        let (first, second) = (moment_of(&query, "snapshot1")?, moment_of(&query, "snapshot2")?);
        let added = choice(&query, "access-associated")?;
        Ok(Self { id, kind, first, second, added, page: Part::of(&query)? })
    }
}
