//! A refresh: lock, read the sources, have the engine make a snapshot, publish it, and let old ones expire.
//!
//! Why here: it joins the engine with the registry, the catalogue of snapshots and the audit trail, none of which knows the
//! others.
//!
//! Invariants:
//! - only the process that has the lock refreshes;
//! - a refresh is in the audit trail before it begins, and its end is too: the published snapshot, or why there is none.

mod summary;

pub use summary::{RefreshSummary, SourceSummary};

use crate::Events;
use crate::lock::Lock;
use crate::snapshots::{Expiry, ExpiryExtent, Snapshots};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use muster_engine::refresh::{Environment, LossLimits, RefreshOutcome, RefreshRequest, SourceInput};
use muster_reports::SnapshotManifest;
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::caller::Caller;
use muster_reports::error::{Category, Error, Result, error_chain};
use muster_reports::ids::{SnapshotId, TaskId};
use muster_reports::message::Message;
use muster_reports::nearest;
use muster_reports::ports::{Ids, ProgressCell, RefreshLog, Refresher, RegisteredSource, Registry};
use muster_reports::refreshes::Refresh;
use muster_reports::retention::AsOf;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Bytes of the reason of a failed refresh that the audit trail keeps.
const REASON_MAX: usize = 2_000;

/// How long a refresh counts as going on after it was last heard of.
const LEASE: Duration = Duration::from_secs(60);
/// How often it is heard of.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How often a refresh of a schedule looks whether another one has ended.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A refresh that has begun.
struct Begun {
    refresh: Refresh,
    progress: Arc<ProgressCell>,
}

/// What the engine makes.
struct Work<'a> {
    /// Whether it only shows what would be.
    plan: bool,
    /// The id of the snapshot.
    snapshot: &'a SnapshotId,
    /// What no other attempt has.
    attempt: &'a str,
    /// How far it is.
    progress: &'a Arc<ProgressCell>,
}

/// Refreshes the snapshots of one tenant.
pub struct Refreshes {
    /// What it publishes, and lets expire.
    pub snapshots: Snapshots,
    /// The sources and the manual links.
    pub registry: Arc<dyn Registry>,
    /// Ids of snapshots.
    pub ids: Arc<dyn Ids>,
    /// Looks up the variables that definitions name as the places of secrets.
    pub environment: Arc<Environment>,
    /// Publish even if a source could not be read. Its accounts stay as they were.
    pub publish_incomplete: bool,
    /// How much a refresh may lose.
    pub limits: LossLimits,
    /// Keeps each refresh for the list of tasks.
    pub log: Arc<dyn RefreshLog>,
}

/// How to refresh.
#[derive(Debug, Clone, Default)]
pub struct RefreshOptions {
    /// Compute everything again, whatever has changed.
    pub full: bool,
    /// Go on without what is damaged and cannot be made again.
    pub rebuild: bool,
    /// Names or ids of the sources whose losses are accepted.
    pub accept_missing: Vec<String>,
    /// Publish even if more is lost than the limits allow. What is lost is in the audit trail.
    pub accept_losses: bool,
    /// The date of the sources' data, if it is neither now nor the date that the data has.
    pub as_of: Option<DateTime<Utc>>,
    /// The id of the snapshot; a fresh one if there is none.
    pub snapshot: Option<SnapshotId>,
}

/// The result of a refresh.
#[derive(Debug)]
pub struct RefreshReport {
    /// The outcome of the sources and the tables. Without a manifest, the last snapshot stays in force.
    pub outcome: RefreshOutcome,
    /// The date of the data that was given to the refresh.
    pub as_of: Option<DateTime<Utc>>,
    /// Whether losses beyond the limits were accepted.
    pub losses_accepted: bool,
    /// What of the last snapshot was damaged, and what is lost with it.
    pub damaged: Vec<String>,
    /// What expired after it; absent if nothing was published.
    pub expiry: Option<Result<Expiry>>,
}

/// What a refresh would do.
#[derive(Debug)]
pub struct RefreshPlan {
    /// The outcome of the sources and the tables. Its manifest, if it has one, is not published.
    pub report: RefreshReport,
    /// The snapshot that stays in force, to compare with; `None` if none was ever published.
    pub last: Option<Arc<SnapshotManifest>>,
}

impl RefreshReport {
    /// Whether more would be lost than the limits allow, and nobody accepted that.
    pub fn loses_too_much(&self) -> bool {
        !self.outcome.exceeded.is_empty() && !self.losses_accepted
    }

    /// Whether the refresh did what was asked; of a plan, whether the refresh would.
    ///
    /// # Errors
    /// Names the sources that could not be read, or the limits that are exceeded, when nothing is published.
    pub fn verdict(&self) -> Result<()> {
        if self.loses_too_much() {
            return Err(Error::unavailable(format!(
                "no snapshot was published, because more would be lost than `refresh.guards` allows: {}; `muster refresh \
                 --plan --to FILE` says what would change, and `muster refresh --accept-losses` publishes it",
                self.exceeded()
            )));
        }
        if self.outcome.manifest.is_some() {
            return Ok(());
        }
        let failed = self.outcome.sources.iter().filter(|source| source.failure.is_some());
        let failed: Vec<_> = failed.map(|source| source.run.name.as_str()).collect();
        match failed[..] {
            [] => Err(Error::unavailable("no snapshot was published")),
            _ => {
                Err(Error::unavailable(format!("no snapshot was published because of {}", failed.join(", "))))
            }
        }
    }

    /// The limits that are exceeded, for people.
    fn exceeded(&self) -> String {
        let exceeded = self.outcome.exceeded.iter().map(ToString::to_string);
        exceeded.collect::<Vec<_>>().join("; ")
    }
}

impl Refreshes {
    /// Refreshes all registered sources, or what changed in them, under the lock of refreshing. A snapshot is published
    /// if every source was read, or if `publish_incomplete` permits that some were not.
    ///
    /// # Errors
    /// When no source is registered, another process refreshes, or the refresh itself failed; nothing was published then.
    /// A source that could not be read is in the report.
    pub fn refresh<'a>(&'a self, options: &'a RefreshOptions) -> BoxFuture<'a, Result<RefreshReport>> {
        Box::pin(async move {
            let lock = self.snapshots.lock()?;
            Box::pin(self.refresh_under(&lock, options)).await
        })
    }

    /// The same for whoever has the lock of refreshing.
    async fn refresh_under(&self, lock: &Lock, options: &RefreshOptions) -> Result<RefreshReport> {
        let mut details = if options.full { "everything" } else { "what changed" }.to_owned();
        if !options.accept_missing.is_empty() {
            details.push_str(&format!("; accepting what was lost of {}", options.accept_missing.join(", ")));
        }
        if options.accept_losses {
            details.push_str("; accepting losses beyond the limits");
        }
        if let Some(moment) = options.as_of {
            details.push_str(&format!("; as of {}", moment.to_rfc3339()));
        }
        let refresh = self.begin(options, details).await?;
        let mut report = {
            let _told = self.tell_of(&refresh);
            Box::pin(self.publish(options, &refresh)).await
        };
        if let Ok(RefreshReport { outcome, expiry, .. }) = &mut report
            && outcome.manifest.is_some()
        {
            *expiry = Some(self.snapshots.expire(lock, ExpiryExtent::ByPolicy).await);
        }
        let failed = match &report {
            Ok(report) => report.verdict().err().map(|error| error_chain(&error)),
            Err(error) => Some(error_chain(error)),
        };
        if let Some(mut why) = failed {
            why.truncate(why.floor_char_boundary(REASON_MAX));
            let told = match &report {
                Ok(report) => report.verdict().err().map_or_else(String::new, |error| error.message),
                Err(error) => error.message.clone(),
            };
            // If this fails too, the first failure is reported.
            let event = self.event_of(&refresh, AuditOperation::RefreshFailed, "refresh", why);
            let message = match &report {
                Ok(report) if report.loses_too_much() => Message::error("refresh_loses_too_much", told),
                Ok(_) | Err(_) => Message::error("refresh_failed", told),
            };
            if let Err(error) = self.log.fail_refresh(&message, &event).await {
                tracing::error!(error = error_chain(&error), "the end of the refresh cannot be recorded");
            }
        }
        report
    }

    /// Does what [`Refreshes::refresh`] does, except that it publishes nothing: the last snapshot stays in force, nothing
    /// expires, and the list of tasks has no refresh. The tables have a version that no snapshot names, as after a
    /// refresh that failed; a later refresh removes its files.
    ///
    /// # Errors
    /// Those of a refresh.
    pub fn plan<'a>(&'a self, options: &'a RefreshOptions) -> BoxFuture<'a, Result<RefreshPlan>> {
        Box::pin(async move {
            let _lock = self.snapshots.lock()?;
            let snapshot = SnapshotId::new(self.ids.fresh());
            let attempt = self.ids.fresh();
            let work = Work { plan: true, snapshot: &snapshot, attempt: &attempt, progress: &Arc::default() };
            let (report, last) = self.make(options, work).await?;
            Ok(RefreshPlan { report, last })
        })
    }

    /// Keeps that a refresh begins.
    async fn begin(&self, options: &RefreshOptions, details: String) -> Result<Begun> {
        let events: &Events = &*self.snapshots.events;
        let event = events(AuditOperation::RefreshStarted, "refresh", details);
        let snapshot = options.snapshot.clone().unwrap_or_else(|| SnapshotId::new(self.ids.fresh()));
        let (id, now) = (TaskId::new(self.ids.fresh()), self.snapshots.clock.now());
        // The trace is that of the event.
        let requester = Caller { trace: None, ..event.caller.clone() };
        let refresh = Refresh::begun(id, requester, snapshot, now);
        let event = AuditEvent { task: refresh.id.clone(), ..event };
        self.log.begin_refresh(&refresh, &event, LEASE).await?;
        Ok(Begun { refresh, progress: Arc::default() })
    }

    /// Says again and again how far a refresh is, until what this returns is dropped.
    fn tell_of(&self, begun: &Begun) -> AbortOnDropHandle<()> {
        let (log, clock) = (self.log.clone(), self.snapshots.clock.clone());
        let (refresh, progress) = (begun.refresh.clone(), begun.progress.clone());
        AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                let tenant = &refresh.requester.tenant;
                let told = log.refresh_goes_on(tenant, &refresh.id, progress.get(), clock.now(), LEASE).await;
                if let Err(error) = told {
                    tracing::warn!(error = error_chain(&error), "how far the refresh is cannot be kept");
                }
            }
        }))
    }

    /// What the audit trail says of a refresh.
    fn event_of(&self, begun: &Begun, operation: AuditOperation, about: &str, details: String) -> AuditEvent {
        let events: &Events = &*self.snapshots.events;
        AuditEvent { task: begun.refresh.id.clone(), ..events(operation, about, details) }
    }

    /// Has the engine make a snapshot, and publishes it.
    async fn publish(&self, options: &RefreshOptions, begun: &Begun) -> Result<RefreshReport> {
        let work = Work {
            plan: false,
            snapshot: &begun.refresh.snapshot,
            attempt: begun.refresh.id.as_str(),
            progress: &begun.progress,
        };
        let (report, _) = self.make(options, work).await?;
        if let Some(manifest) = &report.outcome.manifest {
            let rows = |table: &str| manifest.rows.get(table).copied().unwrap_or(0);
            let mut details = format!("{} identities, {} accounts", rows("identities"), rows("accounts"));
            if !report.outcome.exceeded.is_empty() {
                details.push_str(&format!("; accepted losses: {}", report.exceeded()));
                details.truncate(details.floor_char_boundary(REASON_MAX));
            }
            let operation = AuditOperation::SnapshotPublished;
            let event = self.event_of(begun, operation, manifest.id.as_str(), details);
            self.snapshots.catalogue.publish(&event, manifest).await?;
        }
        Ok(report)
    }

    /// Has the engine make a snapshot; what it made, and the snapshot that it continued from.
    async fn make(
        &self,
        options: &RefreshOptions,
        work: Work<'_>,
    ) -> Result<(RefreshReport, Option<Arc<SnapshotManifest>>)> {
        let Work { plan, snapshot, attempt, progress } = work;
        let Snapshots { engine, catalogue, audit, clock, tenant, .. } = &self.snapshots;
        let sources = self.registry.sources(tenant).await?;
        if sources.is_empty() {
            return Err(Error::invalid(
                "no source is registered: `muster source add FILE.toml` registers one",
            ));
        }
        let links = self.registry.links(tenant).await?;
        let (previous, damaged) = match catalogue.newest(tenant).await? {
            Some(last) => {
                let (last, damaged) = engine.without_damage(last, options.rebuild).await?;
                (Some(last), damaged)
            }
            None => (None, Vec::new()),
        };
        let accept_missing = accepted(&options.accept_missing, &sources)?;
        let outcome = engine
            .refresh(RefreshRequest {
                sources: sources.iter().map(input).collect::<Result<_>>()?,
                links,
                previous: previous.clone(),
                tenant: tenant.clone(),
                audit: audit.clone(),
                environment: self.environment.clone(),
                snapshot: snapshot.clone(),
                attempt: attempt.to_owned(),
                clock: clock.clone(),
                as_of: options.as_of,
                publish_incomplete: self.publish_incomplete,
                // Everything that is made again is read again, also from sources that can tell what changed.
                full: options.full || !damaged.is_empty(),
                accept_missing,
                limits: self.limits,
                // A plan shows what would be lost.
                ignore_limits: plan || options.accept_losses,
                progress: progress.clone(),
            })
            .await?;
        let report = RefreshReport {
            outcome,
            as_of: options.as_of,
            losses_accepted: options.accept_losses,
            damaged,
            expiry: None,
        };
        Ok((report, previous))
    }
}

/// Refreshes for schedules, each on a thread of its own: a refresh computes for long between two awaits, and the requests of
/// the service must not wait for it. One whose future is dropped ends at its next await.
pub struct ScheduledRefreshes(pub Arc<Refreshes>);

#[async_trait]
impl Refresher for ScheduledRefreshes {
    async fn refresh(&self, snapshot: &SnapshotId) -> Result<()> {
        let (refreshes, snapshot) = (self.0.clone(), snapshot.clone());
        let given_up = CancellationToken::new();
        let _guard = given_up.clone().drop_guard();
        let runtime = Handle::current();
        let refreshed = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                tokio::select! {
                    refreshed = refreshes.refresh_as(&snapshot) => refreshed,
                    () = given_up.cancelled() => Err(Error::unavailable("the refresh was interrupted")),
                }
            })
        });
        refreshed.await.map_err(|error| Error::internal("the refresh failed", error))?
    }
}

impl Refreshes {
    /// Makes a refresh whose snapshot has this id, unless there is such a snapshot. A refresh that goes on is waited for: it
    /// is not a failure of this one.
    async fn refresh_as(&self, snapshot: &SnapshotId) -> Result<()> {
        let Snapshots { catalogue, tenant, .. } = &self.snapshots;
        let lock = loop {
            match self.snapshots.lock() {
                Err(error) if error.category == Category::Unavailable => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                lock => break lock?,
            }
        };
        if catalogue.as_of(tenant, &AsOf::Snapshot(snapshot.clone())).await?.is_some() {
            return Ok(());
        }
        let options = RefreshOptions { snapshot: Some(snapshot.clone()), ..RefreshOptions::default() };
        Box::pin(self.refresh_under(&lock, &options)).await?.verdict()
    }
}

/// The ids of the sources whose losses are accepted. People name them by name or id.
fn accepted(named: &[String], sources: &[RegisteredSource]) -> Result<BTreeSet<String>> {
    let id = |named: &String| {
        let found = nearest::source(named, sources, RegisteredSource::id_and_name);
        found.map(|source| source.id.as_str().to_owned()).map_err(Error::invalid)
    };
    named.iter().map(id).collect()
}

fn input(source: &RegisteredSource) -> Result<SourceInput> {
    let definition = serde_json::from_str(&source.definition).map_err(|error| {
        Error::internal(format!("the kept definition of source {:?} cannot be read", source.name), error)
    })?;
    Ok(SourceInput { definition, base_dir: PathBuf::from(&source.base_dir) })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use muster_engine::refresh::{ExceededGuard, Guard, SourceOutcome};
    use muster_sources::Limit;
    use muster_testkit::build::{source_run, start_of_time};

    fn report(sources: Vec<SourceOutcome>, exceeded: Vec<ExceededGuard>) -> RefreshReport {
        let outcome =
            RefreshOutcome { manifest: None, sources, tables: Vec::new(), totals: Vec::new(), exceeded };
        RefreshReport { outcome, as_of: None, losses_accepted: false, damaged: Vec::new(), expiry: None }
    }

    #[test]
    fn a_source_that_cannot_be_read_makes_a_refresh_fail() {
        let outcome = |name: &str, failure: Option<&str>| SourceOutcome {
            run: source_run("1", name, true, start_of_time()),
            failure: failure.map(str::to_owned),
            rejections: Vec::new(),
            carried: false,
        };
        let sources = vec![outcome("Directory", None), outcome("HR", Some("no such file"))];
        let report = report(sources, Vec::new());
        assert_eq!(report.verdict().unwrap_err().message, "no snapshot was published because of HR");
    }

    #[test]
    fn losses_beyond_the_limits_make_a_refresh_fail_unless_they_are_accepted() {
        let exceeded = ExceededGuard {
            guard: Guard::OrphansGained,
            source: None,
            number: 3,
            of: 9,
            limit: Limit::Number(2),
            allowed: 2,
            examples: vec!["0a".into()],
        };
        let mut report = report(Vec::new(), vec![exceeded]);
        assert_eq!(
            report.verdict().unwrap_err().message,
            "no snapshot was published, because more would be lost than `refresh.guards` allows: orphans_gained: 3 of 9 \
             identities would become orphans, the limit is 2 (0a and others); `muster refresh --plan --to FILE` says what \
             would change, and `muster refresh --accept-losses` publishes it"
        );
        report.losses_accepted = true;
        assert_eq!(report.verdict().unwrap_err().message, "no snapshot was published");
    }
}
