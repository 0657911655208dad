//! The snapshots of a report over a period: the one with which the period begins, the one that is reported, and the kept
//! ones between them.
//!
//! Why here: a start, a trial of a definition and a run must mean the same snapshots, whoever asks.
//!
//! A definition reads a period if it has an argument of the type `snapshot`. A start puts the id of one snapshot in place of
//! a day, of a time, and of nothing, so a second attempt and the cover name the same beginning. A definition with an
//! argument of the type `review` reads the items of a closed review, and the kept snapshots from that of the review on.

use crate::arguments::Arguments;
use crate::caller::Period;
use crate::cover::CoverEarlier;
use crate::definition::ReportDefinition;
use crate::error::{Error, Result, shown};
use crate::ids::{ReviewId, SnapshotId, TenantId};
use crate::message::{Message, Severity};
use crate::ports::{ReviewStore, SnapshotCatalogue};
use crate::retention::AsOf;
use crate::review::{Review, ReviewedItems, check_frozen};
use crate::snapshot::SnapshotManifest;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::sync::Arc;

/// Most snapshots of a period.
pub const SNAPSHOTS_MAX: usize = 400;

/// Most snapshots of a period with those that are not kept any more.
const LISTED_MAX: usize = 2_000;

/// The snapshots of a period other than the reported one.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// The kept ones, the first made first: the period begins with the first of them. Empty for a report that reads one
    /// snapshot.
    pub earlier: Vec<Arc<SnapshotManifest>>,
    /// Those of the period that are not kept any more, the first made first.
    pub expired: Vec<(SnapshotId, DateTime<Utc>)>,
    /// The review that the report reads, if it reads one.
    pub review: Option<Arc<ReviewedItems>>,
}

/// When the period of a report begins, for a definition that reads a period. For one that begins with a snapshot, the
/// argument that names it gets its id; without the argument it is the last kept one before `snapshot`. For one that reads a
/// review, it is the time of the review's snapshot.
///
/// # Errors
/// `NotFound` where there is no such snapshot or review, or its data is not kept any more; `Invalid` if it was not made
/// before `snapshot`, and for a review that is open.
pub async fn settle(
    catalogue: &dyn SnapshotCatalogue,
    reviews: &dyn ReviewStore,
    tenant: &TenantId,
    definition: &ReportDefinition,
    arguments: &mut Arguments,
    snapshot: &SnapshotManifest,
) -> Result<Option<DateTime<Utc>>> {
    if let Some(spec) = definition.review_argument() {
        let review = closed_review(reviews, tenant, &spec.name, arguments).await?;
        if snapshot.created < review.frozen_at {
            return Err(Error::invalid(format!(
                "argument {:?} is a review of the snapshot of {}: expected a report over that snapshot or a later one, not \
                 over that of {}",
                spec.name,
                review.frozen_at.to_rfc3339(),
                snapshot.created.to_rfc3339()
            )));
        }
        return Ok(Some(review.frozen_at));
    }
    let Some(spec) = definition.snapshot_argument() else { return Ok(None) };
    let first = match arguments.text(&spec.name) {
        Some(text) => {
            let as_of: AsOf = text.parse()?;
            let found = catalogue.as_of(tenant, &as_of).await?.ok_or_else(|| {
                Error::not_found(match &as_of {
                    AsOf::Snapshot(id) => {
                        format!("argument {:?}: there is no snapshot {:?}", spec.name, id.as_str())
                    }
                    AsOf::Moment(time) => {
                        format!(
                            "argument {:?}: there was no snapshot yet at {}",
                            spec.name,
                            time.to_rfc3339()
                        )
                    }
                })
            })?;
            let first = found.readable()?;
            if first.created >= snapshot.created {
                return Err(Error::invalid(format!(
                    "argument {:?} is snapshot {} of {}: expected one that was made before the reported one, {} of {}",
                    spec.name,
                    first.id,
                    first.created.to_rfc3339(),
                    snapshot.id,
                    snapshot.created.to_rfc3339()
                )));
            }
            first
        }
        None => {
            let limit = u32::try_from(SNAPSHOTS_MAX).unwrap_or(u32::MAX);
            let kept = catalogue.kept_of(tenant, limit).await?;
            kept.into_iter().find(|earlier| earlier.created < snapshot.created).ok_or_else(|| {
                Error::not_found(format!(
                    "there is no kept snapshot before {} of {}: the report compares snapshots, so it needs another refresh or \
                     a later asOf",
                    snapshot.id,
                    snapshot.created.to_rfc3339()
                ))
            })?
        }
    };
    arguments.put(&spec.name, first.id.as_str());
    Ok(Some(first.created))
}

/// The review that an argument names. What a closed one has does not change any more.
async fn closed_review(
    reviews: &dyn ReviewStore,
    tenant: &TenantId,
    name: &str,
    arguments: &Arguments,
) -> Result<Review> {
    let id = arguments.text(name).unwrap_or_default();
    let review = reviews.review(tenant, &ReviewId::new(id)).await?;
    let review = review
        .ok_or_else(|| Error::not_found(format!("argument {name:?}: there is no review {}", shown(id))))?;
    match &review.closing {
        Some(_) => Ok(review),
        None => Err(Error::invalid(format!(
            "argument {name:?} is review {id}, which is open: expected a closed one, because decisions are final only then"
        ))),
    }
}

/// The snapshots of the period, for arguments that [`settle`] has seen, and the review.
///
/// # Errors
/// `NotFound` if the first one is not kept any more; `Invalid` for more than [`SNAPSHOTS_MAX`]; `Broken` for a review whose
/// items are not as they were frozen.
pub async fn read(
    catalogue: &dyn SnapshotCatalogue,
    reviews: &dyn ReviewStore,
    tenant: &TenantId,
    definition: &ReportDefinition,
    arguments: &Arguments,
    snapshot: &SnapshotManifest,
) -> Result<Series> {
    if let Some(spec) = definition.review_argument() {
        let review = closed_review(reviews, tenant, &spec.name, arguments).await?;
        let items = reviews.review_items(tenant, &review.id).await?;
        check_frozen(&review, &items)?;
        let series = since(catalogue, tenant, review.frozen_at, None, snapshot).await?;
        return Ok(Series { review: Some(Arc::new(ReviewedItems { review, items })), ..series });
    }
    let Some(id) = definition.snapshot_argument().and_then(|spec| arguments.text(&spec.name)) else {
        return Ok(Series::default());
    };
    let as_of = AsOf::Snapshot(SnapshotId::new(id));
    let first = catalogue.as_of(tenant, &as_of).await?;
    let first =
        first.ok_or_else(|| Error::not_found(format!("snapshot {id} is not there any more")))?.readable()?;
    since(catalogue, tenant, first.created, Some(&first.id), snapshot).await
}

/// The snapshots from this moment to `snapshot`, which is not among them; `first` is the first of them, if it is known.
async fn since(
    catalogue: &dyn SnapshotCatalogue,
    tenant: &TenantId,
    from: DateTime<Utc>,
    first: Option<&SnapshotId>,
    snapshot: &SnapshotManifest,
) -> Result<Series> {
    let period = Period { from, to: snapshot.created };
    let limit = u32::try_from(LISTED_MAX + 1).unwrap_or(u32::MAX);
    let mut all = catalogue.catalogued(tenant, Some(period), limit).await?;
    let kept = all.iter().filter(|one| one.expired.is_none()).count();
    if kept > SNAPSHOTS_MAX || all.len() > LISTED_MAX {
        return Err(Error::invalid(format!(
            "the period from {} to {} has {} snapshots: expected at most {SNAPSHOTS_MAX} that are kept; begin it later, or let \
             snapshots expire that nobody needs",
            from.to_rfc3339(),
            snapshot.created.to_rfc3339(),
            if all.len() > LISTED_MAX { format!("more than {LISTED_MAX}") } else { kept.to_string() }
        )));
    }
    // A refresh for a past date is published after later ones.
    all.reverse();
    all.sort_by_key(|one| one.manifest.created);
    let mut series = Series::default();
    let between = all
        .into_iter()
        .skip_while(|one| first.is_some_and(|first| one.manifest.id != *first))
        .take_while(|one| one.manifest.id != snapshot.id);
    for one in between {
        match one.expired {
            None => series.earlier.push(one.manifest),
            Some(_) => series.expired.push((one.manifest.id.clone(), one.manifest.created)),
        }
    }
    Ok(series)
}

impl Series {
    /// The snapshots as a cover names them, the first made first.
    pub fn covered(&self) -> Vec<CoverEarlier> {
        let read = self.earlier.iter().map(|one| (one.id.to_string(), one.created, true));
        let gone = self.expired.iter().map(|(id, created)| (id.to_string(), *created, false));
        let mut all: Vec<_> =
            read.chain(gone).map(|(id, created, read)| CoverEarlier { id, created, read }).collect();
        all.sort_by_key(|one| one.created);
        all
    }

    /// What a reader must know of the period that ends with `snapshot`; `is_read` says which sources the report shows.
    pub fn messages(&self, snapshot: &SnapshotManifest, is_read: impl Fn(&str) -> bool) -> Vec<Message> {
        let mut messages: Vec<_> = self.review.iter().map(|reviewed| reviewed.message()).collect();
        let Some(first) = self.earlier.first() else { return messages };
        let times: Vec<_> = self.earlier.iter().map(|one| one.created).chain([snapshot.created]).collect();
        let text = format!(
            "the report compares {} snapshots, from {} to {}; {}. What came and went between two snapshots is not in them",
            times.len(),
            second(first.created),
            second(snapshot.created),
            longest(&times)
        );
        messages.push(Message { severity: Severity::Info, key: "period".into(), text });
        if let (Some((_, from)), Some((_, to))) = (self.expired.first(), self.expired.last()) {
            messages.push(Message::warn(
                "period_not_kept",
                format!(
                    "{} snapshots of the period, from {} to {}, are not kept any more: what only they had is not in the report",
                    self.expired.len(),
                    second(*from),
                    second(*to)
                ),
            ));
        }
        for source in snapshot.sources.iter().filter(|source| is_read(source.id.as_str())) {
            if first.source(source.id.as_str()).is_none() {
                messages.push(Message::warn(
                    "period_source_new",
                    format!(
                        "source {:?} is not in the snapshot of {}, with which the period begins: all of it counts as new",
                        source.name,
                        second(first.created)
                    ),
                ));
            }
        }
        for one in &self.earlier {
            let incomplete =
                one.sources.iter().filter(|source| !source.complete && is_read(source.id.as_str()));
            messages.extend(incomplete.map(|source| {
                let why = source.remark.as_deref().unwrap_or("its reader does not say why");
                Message::warn(
                    "source_incomplete",
                    format!(
                        "source {:?} was not read completely for the snapshot of {}: {why}",
                        source.name,
                        second(one.created)
                    ),
                )
            }));
        }
        messages
    }
}

/// The longest time between two of these moments that follow each other, in words.
fn longest(times: &[DateTime<Utc>]) -> String {
    let pairs = times.windows(2).map(|pair| (pair[1] - pair[0], pair[0], pair[1]));
    let longest = pairs.fold(None, |longest: Option<(TimeDelta, DateTime<Utc>, DateTime<Utc>)>, pair| {
        Some(longest.filter(|known| known.0 >= pair.0).unwrap_or(pair))
    });
    match longest {
        None => "there is only one".to_owned(),
        Some((length, from, to)) => {
            let (hours, minutes) = (length.num_hours(), length.num_minutes() % 60);
            format!(
                "the longest time between two is {hours} h {minutes} min, from {} to {}",
                second(from),
                second(to)
            )
        }
    }
}

fn second(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{AggregationMode, SourceRun};
    use std::collections::BTreeMap;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hour)
    }

    fn source(name: &str, complete: bool) -> SourceRun {
        SourceRun {
            id: crate::ids::SourceId::new(name.to_lowercase()),
            name: name.into(),
            kind: "delimited".into(),
            authoritative: false,
            profile: None,
            mode: AggregationMode::Full,
            started: at(0),
            ended: at(0),
            complete,
            remark: (!complete).then(|| "it was cut off".into()),
            reported_total: None,
            sum: None,
            read: 0,
            rejected: 0,
            loaded: 0,
            created: 0,
            updated: 0,
            unchanged: 0,
            missing: 0,
            stale: 0,
            as_of: None,
            input_digest: None,
            attributes: Vec::new(),
            cursor: None,
            warnings: Vec::new(),
            refused_values: Vec::new(),
            documents: Vec::new(),
            settings_digest: None,
        }
    }

    fn manifest(hour: i64, sources: Vec<SourceRun>) -> Arc<SnapshotManifest> {
        Arc::new(SnapshotManifest {
            id: SnapshotId::new(format!("s{hour}")),
            created: at(hour),
            versions: BTreeMap::new(),
            identity_attributes: Vec::new(),
            sources,
            rows: BTreeMap::new(),
            last_event: None,
            files: BTreeMap::new(),
        })
    }

    /// Snapshots at 0, 5, 30 and 31 hours: the longest time between two is 25 hours. The one of 20 hours is gone.
    #[test]
    fn a_reader_learns_of_gaps_and_of_what_was_not_read() {
        let series = Series {
            earlier: vec![
                manifest(0, vec![source("HR", true)]),
                manifest(5, vec![source("HR", false), source("SAP", false)]),
                manifest(30, vec![source("HR", true)]),
            ],
            expired: vec![(SnapshotId::new("s20"), at(20))],
            review: None,
        };
        let last = manifest(31, vec![source("HR", true), source("SAP", true), source("New", true)]);
        let messages = series.messages(&last, |id| id != "sap");
        let texts: Vec<_> =
            messages.iter().map(|message| format!("{}: {}", message.key, message.text)).collect();
        assert_eq!(
            texts,
            [
                "period: the report compares 4 snapshots, from 1970-01-01T00:00:00Z to 1970-01-02T07:00:00Z; the longest time \
                 between two is 25 h 0 min, from 1970-01-01T05:00:00Z to 1970-01-02T06:00:00Z. What came and went between two \
                 snapshots is not in them",
                "period_not_kept: 1 snapshots of the period, from 1970-01-01T20:00:00Z to 1970-01-01T20:00:00Z, are not kept \
                 any more: what only they had is not in the report",
                "period_source_new: source \"New\" is not in the snapshot of 1970-01-01T00:00:00Z, with which the period \
                 begins: all of it counts as new",
                "source_incomplete: source \"HR\" was not read completely for the snapshot of 1970-01-01T05:00:00Z: it was \
                 cut off",
            ]
        );
        let covered: Vec<_> = series.covered().into_iter().map(|one| (one.id, one.read)).collect();
        let expected = [("s0", true), ("s5", true), ("s20", false), ("s30", true)];
        assert_eq!(covered, expected.map(|(id, read)| (id.to_owned(), read)));
        assert!(Series::default().messages(&last, |_| true).is_empty());
    }
}
