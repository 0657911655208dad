//! Random commands on two task stores. Every answer must be the same.

use super::{at, worker};
use crate::{acts, build};
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::error::Result;
use muster_reports::ids::{TaskDefinitionId, TaskId, TenantId};
use muster_reports::message::Message;
use muster_reports::ports::{ResultOrder, TaskStore};
use muster_reports::task::{AttemptEnd, Lease, NewTask, Progress};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::fmt::Debug;
use std::time::Duration;

/// A command. Numbers select a task or lease among the existing ones, modulo their count.
#[derive(Debug, Clone)]
pub enum Command {
    /// Start a task for one of a few reports, with a deadline.
    Start {
        /// Which tenant.
        tenant: u8,
        /// Which report.
        about: u8,
        /// Seconds until the deadline.
        seconds: i64,
        /// Whether it has a warning from the start.
        warning: bool,
    },
    /// Cancel a task.
    Cancel {
        /// In which tenant.
        tenant: u8,
        /// Which task.
        task: usize,
    },
    /// Claim a task.
    Claim {
        /// Length of the lease.
        seconds: u64,
    },
    /// Renew a lease.
    Heartbeat {
        /// Which lease.
        lease: usize,
        /// Rows written.
        rows: u64,
        /// New length of the lease.
        seconds: u64,
    },
    /// End an attempt: 0 done, 1 done with a warning, 2 failed, 3 retry, 4 released.
    End {
        /// Which lease.
        lease: usize,
        /// Which end.
        how: u8,
        /// Seconds until the retry.
        seconds: i64,
    },
    /// Let time pass.
    Wait {
        /// Seconds.
        seconds: i64,
    },
    /// Read a task.
    Look {
        /// In which tenant.
        tenant: u8,
        /// Which task.
        task: usize,
    },
    /// Read the first task of a definition.
    LookByDefinition {
        /// In which tenant.
        tenant: u8,
        /// Which report.
        about: u8,
        /// Whether ended tasks are first.
        completed: bool,
    },
}

/// Sequences of commands that affect each other: few tenants, few reports, leases and deadlines that run out.
pub fn commands() -> impl Strategy<Value = Vec<Command>> {
    let command = prop_oneof![
        4 => (0..2_u8, 0..3_u8, 1..120_i64, any::<bool>())
            .prop_map(|(tenant, about, seconds, warning)| Command::Start { tenant, about, seconds, warning }),
        1 => (0..2_u8, any::<usize>()).prop_map(|(tenant, task)| Command::Cancel { tenant, task }),
        5 => (0..40_u64).prop_map(|seconds| Command::Claim { seconds }),
        2 => (any::<usize>(), 0..100_u64, 0..60_u64)
            .prop_map(|(lease, rows, seconds)| Command::Heartbeat { lease, rows, seconds }),
        4 => (any::<usize>(), 0..5_u8, -5..60_i64)
            .prop_map(|(lease, how, seconds)| Command::End { lease, how, seconds }),
        3 => (0..30_i64).prop_map(|seconds| Command::Wait { seconds }),
        1 => (0..2_u8, any::<usize>()).prop_map(|(tenant, task)| Command::Look { tenant, task }),
        1 => (0..2_u8, 0..3_u8, any::<bool>())
            .prop_map(|(tenant, about, completed)| Command::LookByDefinition { tenant, about, completed }),
    ];
    proptest::collection::vec(command, 1..60)
}

/// Runs the same commands on two empty stores.
///
/// # Errors
/// At the first command with different answers, or if the tasks differ at the end.
pub async fn compare_task_stores(
    left: &dyn TaskStore,
    right: &dyn TaskStore,
    commands: &[Command],
) -> Result<(), TestCaseError> {
    let mut now = at(0);
    let mut tasks: Vec<TaskId> = Vec::new();
    let mut leases: Vec<Lease> = Vec::new();
    for (step, command) in commands.iter().enumerate() {
        let place = format!("step {step}, {command:?}");
        match command {
            Command::Start { tenant, about, seconds, warning } => {
                let number = tasks.len() as u64 + 1;
                let new = about_one_of_a_few(number, *tenant, *about, now, *seconds, *warning);
                tasks.push(new.id.clone());
                same(&place, left.start(new.clone()).await, right.start(new).await)?;
            }
            Command::Cancel { tenant, task } => {
                let Some(id) = around(&tasks, *task) else { continue };
                let tenant = tenant_of(*tenant);
                let event = acts::cancel_event(&tenant, id, now);
                same(&place, left.cancel(&event, None).await, right.cancel(&event, None).await)?;
            }
            Command::Claim { seconds } => {
                let (worker, lease) = (worker(1), Duration::from_secs(*seconds));
                let claimed = left.claim(&worker, now, lease).await;
                leases.extend(claimed.iter().flatten().map(|claim| claim.lease.clone()));
                same(&place, claimed, right.claim(&worker, now, lease).await)?;
            }
            Command::Heartbeat { lease, rows, seconds } => {
                let Some(lease) = around(&leases, *lease) else { continue };
                let progress = Progress { rows: *rows, rows_expected: rows.checked_sub(50) };
                let extend = Duration::from_secs(*seconds);
                let renewed = left.heartbeat(lease, progress, now, extend).await;
                same(&place, renewed, right.heartbeat(lease, progress, now, extend).await)?;
            }
            Command::End { lease, how, seconds } => {
                let Some(lease) = around(&leases, *lease) else { continue };
                let end = ending(*how, lease, now + TimeDelta::seconds(*seconds));
                let ended = left.end_attempt(lease, end.clone(), now).await;
                same(&place, ended, right.end_attempt(lease, end, now).await)?;
            }
            Command::Wait { seconds } => now += TimeDelta::seconds(*seconds),
            Command::Look { tenant, task } => {
                let Some(id) = around(&tasks, *task) else { continue };
                let tenant = tenant_of(*tenant);
                same(&place, left.task(&tenant, id).await, right.task(&tenant, id).await)?;
            }
            Command::LookByDefinition { tenant, about, completed } => {
                let (tenant, definition) = (tenant_of(*tenant), definition_of(*about));
                let order = if *completed { ResultOrder::CompletedFirst } else { ResultOrder::CreatedLast };
                let found = left.task_of_definition(&tenant, &definition, order).await;
                same(&place, found, right.task_of_definition(&tenant, &definition, order).await)?;
            }
        }
    }
    for id in &tasks {
        for tenant in [0, 1].map(tenant_of) {
            same("at the end", left.task(&tenant, id).await, right.task(&tenant, id).await)?;
        }
    }
    same("at the end", sorted(left.published_names().await), sorted(right.published_names().await))
}

fn same<T: Debug>(place: &str, left: Result<T>, right: Result<T>) -> Result<(), TestCaseError> {
    // The kinds of errors must agree. Each store has its own texts.
    let [left, right] = [left, right].map(|answer| format!("{:?}", answer.map_err(|error| error.category)));
    prop_assert_eq!(left, right, "{}", place);
    Ok(())
}

fn sorted(names: Result<Vec<String>>) -> Result<Vec<String>> {
    names.map(|mut names| {
        names.sort();
        names
    })
}

fn around<T>(items: &[T], at: usize) -> Option<&T> {
    at.checked_rem(items.len()).map(|at| &items[at])
}

fn tenant_of(number: u8) -> TenantId {
    TenantId::new(format!("tenant-{number}"))
}

fn definition_of(about: u8) -> TaskDefinitionId {
    build::new_task(u64::from(about), at(0)).definition
}

fn about_one_of_a_few(
    number: u64,
    tenant: u8,
    about: u8,
    now: DateTime<Utc>,
    seconds: i64,
    warning: bool,
) -> NewTask {
    let mut new = build::same_as(u64::from(about), build::new_task(number, now));
    new.tenant = tenant_of(tenant);
    new.deadline = now + TimeDelta::seconds(seconds);
    if warning {
        new.messages.push(Message::warn("source_stale", "old"));
    }
    new
}

fn ending(how: u8, lease: &Lease, later: DateTime<Utc>) -> AttemptEnd {
    let result = build::task_result(&lease.task, lease.epoch, 7);
    match how {
        0 => AttemptEnd::Done { result, messages: Vec::new() },
        1 => AttemptEnd::Done { result, messages: vec![Message::warn("source_incomplete", "half of it")] },
        2 => AttemptEnd::Failed { message: Message::error("query_failed", "the query failed") },
        3 => {
            AttemptEnd::Retry { message: Message::error("disk_full", "the disk is full"), not_before: later }
        }
        _ => AttemptEnd::Released,
    }
}
