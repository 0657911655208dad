//! Callers, tasks, snapshots and results with plausible content. Tests change the fields that matter to them.

use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::arguments::{ArgumentKind, ArgumentSpec, Arguments, RawArguments, RawValue};
use muster_reports::audit::AuditEvent;
use muster_reports::caller::{AuditorLimits, Caller, DataScope, Period, Scope, UserIdentity, UserLevel};
use muster_reports::ids::{ClientId, ReportId, SnapshotId, SourceId, TaskDefinitionId, TaskId, TenantId};
use muster_reports::kind::FileFormat;
use muster_reports::ports::{Credential, RegisteredSource};
use muster_reports::snapshot::{AggregationMode, SnapshotManifest, SourceRun};
use muster_reports::task::{NewTask, PublishedFile, TaskResult, dedup_key};
use muster_reports::trace::Trace;
use std::collections::BTreeMap;

/// The tenant of everything here.
pub const TENANT: &str = "acme";

/// The id of the one source in [`manifest`].
pub const SOURCE: &str = "2c9180897e7742b2017e781782f705b9";

/// 2026-03-02 09:00:00 UTC, a Monday; whole seconds, so every store keeps it exactly.
pub fn start_of_time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_442_000, 0).expect("the constant is a time")
}

/// The tenant of everything here.
pub fn tenant() -> TenantId {
    TenantId::new(TENANT)
}

/// A user with a personal access token who may do everything.
pub fn user() -> Caller {
    Caller {
        tenant: tenant(),
        client: ClientId::new("client-of-ada"),
        user: Some(UserIdentity {
            id: "1d3f0000000000000000000000000001".into(),
            name: "ada.lovelace".into(),
            levels: vec![UserLevel::OrgAdmin],
            audit: None,
        }),
        scopes: vec![Scope::All],
        data_scope: DataScope::Everything,
        trace: None,
    }
}

/// A user with this one scope and level.
pub fn user_with(scope: Scope, level: UserLevel) -> Caller {
    let mut caller = user();
    caller.scopes = vec![scope];
    if let Some(user) = &mut caller.user {
        user.levels = vec![level];
    }
    caller
}

/// An auditor of the reports ACCOUNTS and `leavers` over snapshots from `from` to `to`, until 30 days after `to`.
pub fn auditor(from: DateTime<Utc>, to: DateTime<Utc>) -> Caller {
    let mut caller = Caller { client: ClientId::new("client-of-an-auditor"), ..user() };
    let reports = ["ACCOUNTS", "leavers"].map(ReportId::new);
    let limits = AuditorLimits::new(Period { from, to }, reports, to + TimeDelta::days(30));
    if let Some(user) = &mut caller.user {
        user.levels = vec![UserLevel::Auditor];
        user.audit = Some(Box::new(limits.expect("the period and the reports fit")));
    }
    caller
}

/// An application client that may do all that an application may.
pub fn application() -> Caller {
    Caller { client: ClientId::new("client-of-a-job"), user: None, ..user() }
}

/// Checked arguments: one text each.
pub fn arguments(pairs: &[(&str, &str)]) -> Arguments {
    let specs: Vec<_> = pairs
        .iter()
        .map(|(name, _)| ArgumentSpec {
            name: (*name).into(),
            kind: ArgumentKind::Text,
            required: true,
            default: None,
            meaning: String::new(),
        })
        .collect();
    let raw: RawArguments =
        pairs.iter().map(|(name, text)| ((*name).into(), RawValue::Text((*text).into()))).collect();
    Arguments::check(&specs, &raw).expect("texts that are not blank fit text arguments")
}

/// The id of the `number`th task: 32 hex digits.
pub fn task_id(number: u64) -> TaskId {
    TaskId::new(format!("{number:032x}"))
}

/// The `number`th task. No two numbers share a key or a definition. It is created at `now`, with a deadline six hours
/// later.
pub fn new_task(number: u64, now: DateTime<Utc>) -> NewTask {
    let definition = TaskDefinitionId::new(format!("def{number:029x}"));
    NewTask {
        id: task_id(number),
        tenant: tenant(),
        dedup_key: dedup_key(&definition, &DataScope::Everything),
        definition,
        report: ReportId::new("ACCOUNTS"),
        name: "Account Report".into(),
        description: "The accounts of one source and their owners.".into(),
        parent: Some("Audit Report".into()),
        arguments: arguments(&[("application", SOURCE), ("sourceName", "Active Directory")]),
        requester: user(),
        snapshot: SnapshotId::new("snapshot-1"),
        messages: Vec::new(),
        created: now,
        deadline: now + TimeDelta::hours(6),
        event: None,
        notify: Vec::new(),
    }
}

/// `new` for the same report as the `number`th task: the same key and definition.
pub fn same_as(number: u64, new: NewTask) -> NewTask {
    let other = new_task(number, new.created);
    NewTask { dedup_key: other.dedup_key, definition: other.definition, ..new }
}

/// A result with one CSV file, as the attempt with this epoch would leave it.
pub fn task_result(task: &TaskId, epoch: u64, rows: u64) -> TaskResult {
    TaskResult {
        rows,
        files: vec![PublishedFile {
            format: FileFormat::Csv,
            stored_name: format!("{task}.{epoch}.report.csv"),
            media_type: "application/csv".into(),
            extension: "csv".into(),
            bytes: 9 + rows * 4,
            rows,
            sha256: format!("{rows:064x}"),
        }],
        cover: format!("{{\"taskId\":\"{task}\",\"rows\":{rows}}}"),
    }
}

/// The last run of a delimited source, complete, that ended at `ended`.
pub fn source_run(id: &str, name: &str, authoritative: bool, ended: DateTime<Utc>) -> SourceRun {
    SourceRun {
        id: SourceId::new(id),
        name: name.into(),
        kind: "delimited".into(),
        authoritative,
        profile: authoritative.then(|| format!("{name} people")),
        mode: AggregationMode::Full,
        started: ended - TimeDelta::seconds(3),
        ended,
        complete: true,
        remark: None,
        reported_total: None,
        sum: None,
        read: 43,
        rejected: 0,
        loaded: 43,
        created: 43,
        updated: 0,
        unchanged: 0,
        missing: 0,
        stale: 0,
        as_of: None,
        input_digest: Some(format!("{:064x}", 7)),
        attributes: vec!["department".into(), "title".into()],
        cursor: None,
        warnings: Vec::new(),
        documents: Vec::new(),
        refused_values: Vec::new(),
        settings_digest: None,
    }
}

/// A snapshot of two sources, "Active Directory" (id [`SOURCE`]) and the authoritative "HR", published at `created`.
pub fn manifest(id: &str, created: DateTime<Utc>) -> SnapshotManifest {
    let counts = |identities, accounts| {
        BTreeMap::from([("identities".to_owned(), identities), ("accounts".to_owned(), accounts)])
    };
    SnapshotManifest {
        id: SnapshotId::new(id),
        created,
        versions: counts(4, 5),
        identity_attributes: vec!["department".into(), "costCentre".into()],
        sources: vec![
            source_run(SOURCE, "Active Directory", false, created),
            source_run("2c9180897e7742b2017e781782f70500", "HR", true, created),
        ],
        rows: counts(50, 93),
        last_event: None,
        files: BTreeMap::new(),
    }
}

/// A credential of [`user`] under this client id.
pub fn credential(client: &str, created: DateTime<Utc>) -> Credential {
    Credential {
        caller: Caller { client: ClientId::new(client), ..user() },
        secret_hmac: std::array::from_fn(|at| u8::try_from(at).expect("at is below 32")),
        enabled: true,
        token_lifetime_s: None,
        created,
        description: "for a test".into(),
    }
}

/// A registered delimited source.
pub fn registered_source(id: &str, name: &str) -> RegisteredSource {
    RegisteredSource {
        id: SourceId::new(id),
        name: name.into(),
        definition: format!("{{\"name\":\"{name}\",\"kind\":\"delimited\"}}"),
        base_dir: "/srv/exports".into(),
    }
}

/// The trace of a request with the specification's example and this `state`.
pub fn trace(state: Option<&str>) -> Trace {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".as_bytes();
    Trace::brought([parent], state.map(str::as_bytes), "000000000000000000000000000000ff")
}

/// A download of a task, as the audit trail records it.
pub fn audit_event(id: &str, at: DateTime<Utc>) -> AuditEvent {
    AuditEvent {
        id: id.into(),
        at,
        operation: muster_reports::audit::AuditOperation::Download,
        caller: user(),
        task: task_id(1),
        report: "Account Report".into(),
        details: "CSV sha-256 00".into(),
    }
}
