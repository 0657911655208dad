//! What people look at beside reports: why an account belongs to its identity, snapshots, clients, the audit trail, and how
//! the installation is. Routes of our own.

use crate::access::{Allowed, CompareSnapshots, ExplainLink, PinSnapshot, ReadAdministration, Search};
use crate::collection::with_total;
use crate::failure::{Failure, json};
use crate::input::{Id, Input, Query, json_object};
use crate::openapi::answers::NotFound;
use crate::snapshots::snapshot;
use crate::state::AppState;
use crate::task_json::timestamp;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use muster_reports::audit::ChainedEvent;
use muster_reports::error::shown;
use muster_reports::ids::{SnapshotId, TaskId};
use muster_reports::inspection::{Candidate, CorrelationExplanation, RuleOutcome, Verdict};
use muster_reports::ports::Credential;
use muster_reports::retention::AsOf;
use muster_reports::service::{AUDIT_PAGE_MAX, REFUSED_PAGE_MAX};
use muster_wire::{
    AuditEventDescription, AuditTrailDescription, ClientDescription, DiskDescription,
    InstallationDescription, IssuerDescription, KeyDescription, LimitDescription, LinkCandidate,
    LinkExplanation, LinkNear, LinkRule, LinkVerdict, PinDetails, RefusedRecordDescription,
    SnapshotComparison, SnapshotDescription, SnapshotDifference,
};
use serde_json::Value;

/// Which account is asked about.
pub(crate) struct LinkRequest {
    source: String,
    native_identity: String,
    as_of: Option<AsOf>,
}

impl Input for LinkRequest {
    async fn read(_: &AppState, parts: Parts, _: Body) -> Result<Self, Failure> {
        let query = Query::of(&parts)?;
        let needed = |name: &str| {
            query.text(name).filter(|text| !text.is_empty()).map(str::to_owned).ok_or_else(|| {
                Failure::invalid(format!("{name} is missing: expected a source's name or id, and an account"))
            })
        };
        Ok(Self {
            source: needed("source")?,
            native_identity: needed("nativeIdentity")?,
            as_of: query.text("asOf").map(str::parse).transpose()?,
        })
    }
}

fn candidate(found: &Candidate) -> LinkCandidate {
    LinkCandidate { id: found.id.clone(), name: found.name.clone() }
}

fn verdict(given: &Verdict) -> LinkVerdict {
    LinkVerdict {
        situation: given.situation.clone(),
        identity: given.identity.clone(),
        rule: given.rule.clone(),
    }
}

fn rule(outcome: &RuleOutcome) -> LinkRule {
    let near = outcome.near.iter().map(|near| LinkNear {
        identity: candidate(&near.identity),
        account_value: near.account_value.clone(),
        identity_value: near.identity_value.clone(),
        differ_in: near.differ_in.to_owned(),
    });
    LinkRule {
        rule: outcome.rule.clone(),
        values: outcome.values.clone(),
        candidates: outcome.candidates.iter().map(candidate).collect(),
        found: outcome.found,
        near: near.collect(),
        decides: outcome.decides,
    }
}

fn explanation(explained: CorrelationExplanation) -> LinkExplanation {
    LinkExplanation {
        snapshot: explained.snapshot.to_string(),
        rules: explained.rules.iter().map(rule).collect(),
        verdict: verdict(&explained.verdict),
        recorded: verdict(&explained.recorded),
        source: explained.source,
        native_identity: explained.native_identity,
        authoritative: explained.authoritative,
        missing_since: explained.missing_since,
        manual_link: explained.manual_link,
        reason: explained.reason,
        identity_name: explained.identity_name,
        agrees: explained.agrees,
    }
}

/// Explain a link
///
/// Why an account belongs to its identity, or to none: each rule of its source, what it compares and whom it finds. Only
/// for callers who see the rows of all sources.
#[utoipa::path(
    get,
    path = "/muster/v1/links/explanation",
    operation_id = "explainLink",
    tag = "Muster",
    params(
        ("source" = String, Query, description = "Name or id of the source.", example = "Active Directory"),
        ("nativeIdentity" = String, Query, description = "The account, as the source names it."),
        ("asOf" = Option<String>, Query, description = "A past snapshot: its id, a date or a time. Absent: the newest."),
    ),
    responses((status = 200, description = "The explanation.", body = LinkExplanation), NotFound),
)]
pub(crate) async fn explain_link(
    Allowed { caller, .. }: Allowed<ExplainLink>,
    state: AppState,
    LinkRequest { source, native_identity, as_of }: LinkRequest,
) -> Result<Response, Failure> {
    let explained = state.administration().explain_link(&caller, &source, &native_identity, as_of.as_ref());
    Ok(json(StatusCode::OK, &explanation(explained.await?)))
}

/// Of which source, and how many.
pub(crate) struct RefusedRequest {
    source: String,
    limit: u32,
}

impl Input for RefusedRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let source = Id::of(&mut parts).await?.0;
        let limit = match Query::of(&parts)?.text("limit").map(str::parse::<u32>) {
            None => 100,
            Some(Ok(limit)) if limit <= REFUSED_PAGE_MAX => limit,
            Some(_) => {
                return Err(Failure::invalid(format!(
                    "limit is not valid: expected a whole number of at most {REFUSED_PAGE_MAX}"
                )));
            }
        };
        Ok(Self { source, limit })
    }
}

/// List the refused records of a source
///
/// The first records, by line, that the last read of a source refused, as the newest snapshot has them. The report
/// REFUSED_RECORDS has all of them.
#[utoipa::path(
    get,
    path = "/muster/v1/sources/{id}/refused-records",
    operation_id = "listRefusedRecords",
    tag = "Muster",
    params(
        ("id" = String, Path, description = "Id or name of the source."),
        ("limit" = Option<i32>, Query, description = "Most records of the answer; 100 if absent.", minimum = 0, maximum = 1_000),
    ),
    responses(
        (
            status = 200,
            description = "The records.",
            body = Vec<RefusedRecordDescription>,
            headers(("X-Total-Count" = i64, description = "How many records the read refused.")),
        ),
        NotFound,
    ),
)]
pub(crate) async fn list_refused_records(
    Allowed { caller, .. }: Allowed<Search>,
    state: AppState,
    RefusedRequest { source, limit }: RefusedRequest,
) -> Result<Response, Failure> {
    let (refused, records) = state.administration().refused_records(&caller, &source, limit).await?;
    let records = records.into_iter().map(|record| RefusedRecordDescription {
        line: record.line,
        native_identity: record.native_identity,
        reason: record.reason,
    });
    Ok(with_total(json(StatusCode::OK, &records.collect::<Vec<_>>()), Some(refused)))
}

/// Which snapshots are compared.
pub(crate) struct CompareRequest {
    old: AsOf,
    new: AsOf,
}

impl Input for CompareRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let (old, new) = Id::and_part(&mut parts).await?;
        // Ids of snapshots may be any text.
        let named = |text: String| text.parse().unwrap_or_else(|_| AsOf::Snapshot(SnapshotId::new(text)));
        Ok(Self { old: named(old), new: named(new) })
    }
}

/// Compare two snapshots
///
/// How many identities and accounts were added, removed and changed from one snapshot to another, and how often each
/// attribute. `muster snapshot compare` writes each difference. Only for callers who see the rows of all sources.
#[utoipa::path(
    get,
    path = "/muster/v1/snapshots/{id}/compare/{other}",
    operation_id = "compareCataloguedSnapshots",
    tag = "Muster",
    params(
        ("id" = String, Path, description = "The earlier snapshot: its id, a date or a time."),
        ("other" = String, Path, description = "The later snapshot."),
    ),
    responses((status = 200, description = "The differences.", body = SnapshotComparison), NotFound),
)]
pub(crate) async fn compare_snapshots(
    Allowed { caller, .. }: Allowed<CompareSnapshots>,
    state: AppState,
    CompareRequest { old, new }: CompareRequest,
) -> Result<Response, Failure> {
    let (old, new, differences) = state.administration().compare_snapshots(&caller, &old, &new).await?;
    let differences = differences.into_iter().map(|found| SnapshotDifference {
        object: found.object,
        change: found.change,
        attribute: found.attribute,
        count: found.count,
    });
    let compared =
        SnapshotComparison { old: old.to_string(), new: new.to_string(), differences: differences.collect() };
    Ok(json(StatusCode::OK, &compared))
}

/// Which snapshot is pinned, and why.
pub(crate) struct PinRequest {
    id: SnapshotId,
    reason: String,
}

impl Input for PinRequest {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let id = SnapshotId::new(Id::of(&mut parts).await?.0);
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        if let Some(stranger) = object.keys().find(|name| *name != "reason") {
            return Err(Failure::invalid(format!(
                "the body has the unknown member {}: expected reason",
                shown(stranger)
            )));
        }
        match object.get("reason") {
            Some(Value::String(reason)) => Ok(Self { id, reason: reason.clone() }),
            Some(_) | None => {
                Err(Failure::invalid("reason is missing or not a text: expected why it is kept"))
            }
        }
    }
}

/// Pin a snapshot
///
/// Keeps a snapshot from expiring, for a reason that replaces the one before. It is recorded in the audit trail.
#[utoipa::path(
    put,
    path = "/muster/v1/snapshots/{id}/pin",
    operation_id = "pinSnapshot",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the snapshot.")),
    request_body(content = PinDetails, description = "Why it is kept."),
    responses((status = 200, description = "The snapshot.", body = SnapshotDescription), NotFound),
)]
pub(crate) async fn pin_snapshot(
    Allowed { caller, .. }: Allowed<PinSnapshot>,
    state: AppState,
    PinRequest { id, reason }: PinRequest,
) -> Result<Response, Failure> {
    let pinned = state.administration().pin_snapshot(&caller, &id, Some(&reason)).await?;
    Ok(json(StatusCode::OK, &snapshot(&pinned, true)))
}

/// Unpin a snapshot
///
/// Lets a snapshot expire again as the settings say. It is recorded in the audit trail.
#[utoipa::path(
    delete,
    path = "/muster/v1/snapshots/{id}/pin",
    operation_id = "unpinSnapshot",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the snapshot.")),
    responses((status = 200, description = "The snapshot.", body = SnapshotDescription), NotFound),
)]
pub(crate) async fn unpin_snapshot(
    Allowed { caller, .. }: Allowed<PinSnapshot>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let unpinned = state.administration().pin_snapshot(&caller, &SnapshotId::new(id), None).await?;
    Ok(json(StatusCode::OK, &snapshot(&unpinned, true)))
}

fn client(credential: &Credential) -> ClientDescription {
    let caller = &credential.caller;
    ClientDescription {
        id: caller.client.to_string(),
        name: caller.user.as_ref().map(|user| user.name.clone()).unwrap_or_default(),
        user: caller.user.is_some(),
        levels: caller.user.iter().flat_map(|user| &user.levels).map(|level| level.as_str().into()).collect(),
        scopes: caller.scopes.iter().map(|scope| scope.as_str().into()).collect(),
        rows: caller.data_scope.to_string(),
        limits: caller.auditor().map(ToString::to_string),
        enabled: credential.enabled,
        created: timestamp(credential.created),
        description: credential.description.clone(),
    }
}

/// List the clients
///
/// The clients of the token endpoint, the oldest first, without their secrets, which nobody has.
#[utoipa::path(
    get,
    path = "/muster/v1/clients",
    operation_id = "listClients",
    tag = "Muster",
    responses((status = 200, description = "The clients.", body = Vec<ClientDescription>)),
)]
pub(crate) async fn list_clients(
    Allowed { caller, .. }: Allowed<ReadAdministration>,
    state: AppState,
    (): (),
) -> Result<Response, Failure> {
    let clients = state.administration().clients(&caller).await?;
    Ok(json(StatusCode::OK, &clients.iter().map(client).collect::<Vec<_>>()))
}

/// Which part of the audit trail is asked for.
pub(crate) struct TrailRequest {
    task: Option<TaskId>,
    before: Option<u64>,
    limit: u32,
}

impl Input for TrailRequest {
    async fn read(_: &AppState, parts: Parts, _: Body) -> Result<Self, Failure> {
        let query = Query::of(&parts)?;
        let number = |name: &str, most: u64| match query.text(name).map(str::parse::<u64>) {
            None => Ok(None),
            Some(Ok(number)) if number <= most => Ok(Some(number)),
            Some(_) => Err(Failure::invalid(format!(
                "{name} is not valid: expected a whole number of at most {most}"
            ))),
        };
        let limit = number("limit", AUDIT_PAGE_MAX.into())?.and_then(|limit| u32::try_from(limit).ok());
        Ok(Self {
            task: query.text("task").map(TaskId::new),
            before: number("before", i64::MAX.cast_unsigned())?,
            limit: limit.unwrap_or(50),
        })
    }
}

fn event(chained: &ChainedEvent) -> AuditEventDescription {
    let event = &chained.event;
    AuditEventDescription {
        sequence: chained.sequence,
        at: timestamp(event.at),
        operation: event.operation.name().to_owned(),
        who: event.caller.launcher().to_owned(),
        client: event.caller.client.to_string(),
        task: event.task.to_string(),
        about: event.report.clone(),
        details: event.details.clone(),
        hash: chained.hash.clone(),
    }
}

/// Get the audit trail
///
/// A page of the audit trail, the last event first, and whether the trail holds at its end.
#[utoipa::path(
    get,
    path = "/muster/v1/audit-events",
    operation_id = "getAuditTrail",
    tag = "Muster",
    params(
        ("task" = Option<String>, Query, description = "Only events about this task."),
        ("before" = Option<i64>, Query, description = "Only events with a smaller number.", minimum = 0),
        ("limit" = Option<i32>, Query, description = "Most events of the answer; 50 if absent.", minimum = 0, maximum = 250),
    ),
    responses((status = 200, description = "The events.", body = AuditTrailDescription)),
)]
pub(crate) async fn get_audit_trail(
    Allowed { caller, .. }: Allowed<ReadAdministration>,
    state: AppState,
    TrailRequest { task, before, limit }: TrailRequest,
) -> Result<Response, Failure> {
    let trail = state.administration().trail(&caller, task.as_ref(), before, limit).await?;
    let described = AuditTrailDescription {
        last: trail.last,
        broken: trail.broken,
        backlog: trail.backlog,
        events: trail.events.iter().map(event).collect(),
    };
    Ok(json(StatusCode::OK, &described))
}

/// Get the installation
///
/// How the installation is: version, database, room on its disks, ages of its keys, limits that are set, outside issuers.
#[utoipa::path(
    get,
    path = "/muster/v1/installation",
    operation_id = "getInstallation",
    tag = "Muster",
    responses((status = 200, description = "The installation.", body = InstallationDescription)),
)]
pub(crate) async fn get_installation(
    Allowed { caller, .. }: Allowed<ReadAdministration>,
    state: AppState,
    (): (),
) -> Result<Response, Failure> {
    let facts = state.administration().facts(&caller).await?;
    let disk = |disk: &muster_reports::inspection::DiskRoom| DiskDescription {
        folder: disk.folder.to_owned(),
        free_bytes: disk.free_bytes,
    };
    let key = |key: &muster_reports::inspection::KeyAge| KeyDescription {
        purpose: key.purpose.to_owned(),
        since: timestamp(key.since),
        previous_until: key.previous_until.map(timestamp),
    };
    let limit = |limit: &muster_reports::inspection::SetLimit| LimitDescription {
        setting: limit.setting.to_owned(),
        value: limit.value,
        unit: limit.unit.to_owned(),
    };
    let described = InstallationDescription {
        version: facts.version.to_owned(),
        database: facts.database.to_owned(),
        disks: facts.disks.iter().map(disk).collect(),
        keys: facts.keys.iter().map(key).collect(),
        limits: facts.limits.iter().map(limit).collect(),
        issuers: facts
            .issuers
            .into_iter()
            .map(|(name, sign_in)| IssuerDescription { name, sign_in })
            .collect(),
    };
    Ok(json(StatusCode::OK, &described))
}
