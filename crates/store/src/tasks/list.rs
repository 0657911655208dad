//! Lists of tasks.
//!
//! The conditions are in the statements, and what is not asked for is null. So the texts of the statements are constant,
//! and a list always follows the index of a tenant's tasks by time, however it is filtered.
//!
//! Who started a task and which source it is about are found in its JSON columns as text, without reading the JSON: the
//! serde forms of `Caller` and `Arguments` are kept byte for byte, and within a text of theirs a quote follows a
//! backslash, so that a member's name and value in quotes are found there as a member and nowhere else. PostgreSQL's
//! functions on JSON would refuse the whole list for one U+0000 in it.

use crate::failure::failed;
use crate::rows;
use crate::session::{Read, Row, Sql, Value, values};
use crate::store::Store;
use chrono::DateTime;
use muster_reports::caller::{DataScope, Period};
use muster_reports::error::Result;
use muster_reports::ids::{ReportId, SourceId, TaskId, TenantId};
use muster_reports::task::TaskState;
use muster_reports::task_list::{TaskOrder, TaskPage, VisibleTasks};
use serde::Serialize;
use std::collections::BTreeMap;

/// Bytes of the conditions of one kind.
const CONDITION_BYTES_MAX: usize = 1_024 * 1_024;

/// $1 tenant, $2 since, and lists as JSON: $3 ids, $4 states, $5 texts of `requester`, $6 reports with texts of `arguments`,
/// $7 sources of the scope, $8 reports. $9 and $10 are the
/// period of the snapshots: of the reported one, and of one that the arguments name.
macro_rules! sqlite_conditions {
    () => {
        " FROM tasks WHERE tenant = $1 AND created >= $2
         AND ($3 IS NULL OR id IN (SELECT value FROM json_each($3)))
         AND ($4 IS NULL OR state IN (SELECT value FROM json_each($4)))
         AND ($5 IS NULL OR EXISTS (SELECT 1 FROM json_each($5) AS part WHERE instr(requester, part.value) > 0))
         AND ($6 IS NULL OR EXISTS (SELECT 1 FROM json_each($6) AS part
             WHERE report = json_extract(part.value, '$[0]')
             AND instr(arguments, json_extract(part.value, '$[1]')) > 0))
         AND ($7 IS NULL OR (json_type(requester, '$.data_scope.sources') = 'array' AND NOT EXISTS (
             SELECT 1 FROM json_each(requester, '$.data_scope.sources') AS theirs
             WHERE theirs.value NOT IN (SELECT mine.value FROM json_each($7) AS mine))))
         AND ($8 IS NULL OR (report IN (SELECT value FROM json_each($8)) AND EXISTS (
             SELECT 1 FROM snapshots AS read WHERE read.tenant = tasks.tenant AND read.id = tasks.snapshot
             AND read.created BETWEEN $9 AND $10)
             AND NOT EXISTS (SELECT 1 FROM snapshots AS begins WHERE begins.tenant = tasks.tenant
             AND instr(tasks.arguments, '\"' || begins.id || '\"') > 0 AND begins.created NOT BETWEEN $9 AND $10)))"
    };
}

/// As in SQLite. The sources of a scope have letters, digits, `-` and `_` only, so the text between the brackets can be
/// split at its commas.
macro_rules! postgres_conditions {
    () => {
        " FROM tasks WHERE tenant = $1 AND created >= $2
         AND ($3::text IS NULL OR id IN (SELECT json_array_elements_text($3::text::json)))
         AND ($4::text IS NULL OR state IN (SELECT json_array_elements_text($4::text::json)))
         AND ($5::text IS NULL OR EXISTS (SELECT 1 FROM json_array_elements_text($5::text::json) AS part(value)
             WHERE strpos(requester, part.value) > 0))
         AND ($6::text IS NULL OR EXISTS (SELECT 1 FROM json_array_elements($6::text::json) AS part(value)
             WHERE report = part.value ->> 0 AND strpos(arguments, part.value ->> 1) > 0))
         AND ($7::text IS NULL OR
             string_to_array(substring(requester FROM '\"data_scope\":\\{\"sources\":\\[([^]]*)\\]'), ',')
             <@ string_to_array(trim(both '[]' from $7::text), ','))
         AND ($8::text IS NULL OR (report IN (SELECT json_array_elements_text($8::text::json)) AND EXISTS (
             SELECT 1 FROM snapshots AS read WHERE read.tenant = tasks.tenant AND read.id = tasks.snapshot
             AND read.created BETWEEN $9::bigint AND $10::bigint)
             AND NOT EXISTS (SELECT 1 FROM snapshots AS begins WHERE begins.tenant = tasks.tenant
             AND strpos(tasks.arguments, '\"' || begins.id || '\"') > 0
             AND begins.created NOT BETWEEN $9::bigint AND $10::bigint)))"
    };
}

/// All of a task but its cover, which can be large.
macro_rules! columns {
    () => {
        "SELECT seq, id, tenant, definition, report, name, description, parent, arguments, requester, snapshot, created,
         launched, completed, state, attempts, epoch, rows, rows_expected, messages, result_rows, files,
         CASE WHEN cover IS NULL THEN NULL ELSE '' END AS cover"
    };
}

macro_rules! listing {
    ($order:literal) => {
        Sql {
            sqlite: concat!(columns!(), sqlite_conditions!(), $order),
            postgres: concat!(columns!(), postgres_conditions!(), $order),
        }
    };
}

pub(super) const LAST_FIRST: Sql = listing!(" ORDER BY created DESC, seq DESC LIMIT $11 OFFSET $12");
pub(super) const FIRST_FIRST: Sql = listing!(" ORDER BY created, seq LIMIT $11 OFFSET $12");
const COUNTS: Sql = Sql {
    sqlite: concat!("SELECT state, count(*) AS total", sqlite_conditions!(), " GROUP BY state"),
    postgres: concat!("SELECT state, count(*) AS total", postgres_conditions!(), " GROUP BY state"),
};
pub(super) const COUNT: Sql = Sql {
    sqlite: concat!("SELECT count(*) AS total", sqlite_conditions!()),
    postgres: concat!("SELECT count(*) AS total", postgres_conditions!()),
};

/// The period where there is no condition on it.
const EVER: Period = Period { from: DateTime::UNIX_EPOCH, to: DateTime::UNIX_EPOCH };

/// The conditions, as JSON lists.
struct Conditions {
    ids: Option<String>,
    states: Option<String>,
    requesters: Option<String>,
    arguments: Option<String>,
    scope: Option<String>,
    reports: Option<String>,
    period: Period,
}

impl Conditions {
    fn of(wanted: &VisibleTasks) -> Result<Self> {
        let filter = &wanted.query.filter;
        let ids = filter.ids.as_ref().map(|ids| {
            // No id has it, and PostgreSQL refuses it.
            ids.iter().map(TaskId::as_str).filter(|id| !id.contains('\0')).collect::<Vec<_>>()
        });
        let states = filter
            .states
            .as_ref()
            .map(|states| states.iter().map(|state| state.as_str()).collect::<Vec<_>>());
        let launchers = filter.launchers.as_deref().map(started_by).transpose()?;
        let sources = filter.sources.as_deref();
        let sources = sources.map(|sources| about(&wanted.source_arguments, sources)).transpose()?;
        let scope = match &wanted.scope {
            DataScope::Everything => None,
            DataScope::Sources(sources) => Some(sources),
        };
        Ok(Self {
            ids: ids.as_ref().map(json).transpose()?,
            states: states.as_ref().map(json).transpose()?,
            requesters: launchers.as_ref().map(json).transpose()?,
            arguments: sources.as_ref().map(json).transpose()?,
            scope: scope.map(json).transpose()?,
            reports: wanted.auditor.as_ref().map(|limits| json(&limits.reports)).transpose()?,
            period: wanted.auditor.as_ref().map_or(EVER, |limits| limits.period),
        })
    }
}

impl Conditions {
    /// The values of the statements, up to the conditions.
    fn values<'v>(&'v self, tenant: &'v TenantId, wanted: &VisibleTasks) -> [Value<'v>; 10] {
        *values![
            tenant.as_str(),
            rows::micros(wanted.since),
            self.ids.as_deref(),
            self.states.as_deref(),
            self.requesters.as_deref(),
            self.arguments.as_deref(),
            self.scope.as_deref(),
            self.reports.as_deref(),
            rows::micros(self.period.from),
            rows::micros(self.period.to),
        ]
    }
}

fn json<T: Serialize>(value: &T) -> Result<String> {
    rows::to_json("a condition of a list", value, CONDITION_BYTES_MAX)
}

/// Texts of which the serde form of a requester has one if one of these is its launcher: the user's name, or the client of an
/// application.
fn started_by(launchers: &[String]) -> Result<Vec<String>> {
    let mut parts = Vec::with_capacity(launchers.len() * 2);
    for launcher in launchers {
        let name = json(launcher)?;
        parts.push(format!("\"name\":{name},\"levels\":"));
        parts.push(format!("\"client\":{name},\"user\":null"));
    }
    Ok(parts)
}

/// Reports, each with a text that its arguments have if they name one of these sources.
fn about<'a>(
    source_arguments: &'a [(ReportId, String)],
    sources: &[SourceId],
) -> Result<Vec<(&'a str, String)>> {
    let mut parts = Vec::with_capacity(source_arguments.len() * sources.len());
    for (report, argument) in source_arguments {
        for source in sources {
            parts.push((report.as_str(), format!("{}:{}", json(argument)?, json(source)?)));
        }
    }
    Ok(parts)
}

/// Counts the tasks of a list by their state.
pub(super) async fn counts(
    store: &Store,
    tenant: &TenantId,
    wanted: &VisibleTasks,
) -> Result<BTreeMap<TaskState, u64>> {
    let conditions = Conditions::of(wanted)?;
    let counted = |row: &Row| -> Read<(TaskState, u64)> {
        Ok((rows::task_state(row)?, row.integer("total")?.cast_unsigned()))
    };
    let found = store.read(COUNTS, &conditions.values(tenant, wanted)).await;
    found
        .and_then(|rows| rows.iter().map(counted).collect())
        .map_err(|error| failed("count the tasks of a list", error))
}

/// Reads part of a list, and counts all of it where that is wanted.
pub(super) async fn list(store: &Store, tenant: &TenantId, wanted: &VisibleTasks) -> Result<TaskPage> {
    let wrong = |error| failed("read a list of tasks", error);
    let query = &wanted.query;
    let conditions = Conditions::of(wanted)?;
    let conditions = conditions.values(tenant, wanted);
    let statement = match query.order {
        TaskOrder::LastFirst => LAST_FIRST,
        TaskOrder::FirstFirst => FIRST_FIRST,
    };
    let part = [Value::Integer(query.limit.into()), Value::Integer(query.offset.into())];
    let found = store.read(statement, &[&conditions[..], &part].concat()).await;
    let tasks = found.and_then(|rows| rows.iter().map(rows::task).collect()).map_err(wrong)?;
    let total = if query.counted {
        let found = store.read_first(COUNT, &conditions).await;
        let total = found.and_then(|row| row.map_or(Ok(0), |row| row.integer("total"))).map_err(wrong)?;
        Some(total.cast_unsigned())
    } else {
        None
    };
    Ok(TaskPage { tasks, total })
}
