//! Policies for separation of duties: keeping them, and running reports of their violations.
//!
//! A report of violations is the report SOD_VIOLATIONS. Its start puts the kept policies, with their exceptions, into the
//! arguments, so a result does not depend on a policy that has changed since.

use super::{Download, Reports, Schedules, Start};
use crate::arguments::{ArgumentKind, RawArguments, RawValue};
use crate::audit::{AuditEvent, AuditOperation};
use crate::caller::{Caller, DataScope, Operation};
use crate::error::{Category, Error, Result, shown};
use crate::ids::{ReportId, SodPolicyId, TaskId, TenantId};
use crate::kind::FileFormat;
use crate::message::{Message, Severity};
use crate::nearest::hint;
use crate::sod::{EXCEPTIONS_MAX, SOD_VIOLATIONS, searches};
use crate::sod_policy::{PolicyException, SodPolicy, SodPolicyContent, SodPolicyQuery, check_exceptions};
use crate::task::Task;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// How a report of several policies is called, as published.
const SEVERAL: &str = "Multi Query Report";

/// The use cases of policies for separation of duties.
pub struct SodPolicies {
    /// Reports, which have the policies too.
    pub reports: Arc<Reports>,
    /// Schedules, of which some report the violations of a policy.
    pub schedules: Arc<Schedules>,
}

/// A report of violations, as published clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViolationReport {
    /// Its task.
    pub task: Task,
    /// The name of its policy; of several, a common one.
    pub name: String,
}

impl SodPolicies {
    /// Keeps a new policy.
    ///
    /// # Errors
    /// `Forbidden`, also for a caller with a data scope; `Invalid` for its content, for a name that is taken, and where there
    /// are too many.
    pub async fn create(&self, caller: &Caller, content: SodPolicyContent) -> Result<SodPolicy> {
        let creator = self.may_manage(caller)?;
        let content = self.checked(content).await?;
        let now = self.reports.clock.now();
        let policy = SodPolicy {
            id: SodPolicyId::new(self.reports.ids.fresh()),
            content,
            exceptions: Vec::new(),
            creator,
            modifier: None,
            created: now,
            modified: now,
        };
        let event = self.event(caller, &policy, "policy for separation of duties added");
        self.reports.policies.add_sod_policy(&policy, &event).await?;
        Ok(policy)
    }

    /// Part of the policies, and how many fit the query in all.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn list(&self, caller: &Caller, wanted: &SodPolicyQuery) -> Result<(Vec<SodPolicy>, u64)> {
        self.reports.authorise(caller, Operation::ReadSodPolicies)?;
        Ok(wanted.of(self.reports.policies.sod_policies(&caller.tenant).await?))
    }

    /// One policy.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn show(&self, caller: &Caller, id: &SodPolicyId) -> Result<SodPolicy> {
        self.reports.authorise(caller, Operation::ReadSodPolicies)?;
        self.find(caller, id).await
    }

    /// One policy, for a caller who may change it.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn managed(&self, caller: &Caller, id: &SodPolicyId) -> Result<SodPolicy> {
        self.may_manage(caller)?;
        self.find(caller, id).await
    }

    /// Replaces the content of a policy. Its exceptions stay.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid` for the content and for a name that is taken.
    pub async fn replace(
        &self,
        caller: &Caller,
        id: &SodPolicyId,
        content: SodPolicyContent,
    ) -> Result<SodPolicy> {
        self.may_manage(caller)?;
        let before = self.find(caller, id).await?;
        let content = self.checked(content).await?;
        self.keep(caller, SodPolicy { content, ..before }, "policy for separation of duties changed").await
    }

    /// Replaces the exceptions of a policy.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid` for an exception, and where there are too many.
    pub async fn accept(
        &self,
        caller: &Caller,
        id: &SodPolicyId,
        exceptions: Vec<PolicyException>,
    ) -> Result<SodPolicy> {
        self.may_manage(caller)?;
        let before = self.find(caller, id).await?;
        let policy = SodPolicy { exceptions, ..before };
        check_exceptions(&policy)?;
        let done =
            format!("{} accepted violations of the policy for separation of duties", policy.exceptions.len());
        self.keep(caller, policy, &done).await
    }

    /// Removes a policy with its exceptions and its schedule. Results that name it stay as they are.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn remove(&self, caller: &Caller, id: &SodPolicyId) -> Result<()> {
        self.may_manage(caller)?;
        let policy = self.find(caller, id).await?;
        // First, so that no schedule is left without its policy.
        self.unschedule(caller, id).await?;
        let event = self.event(caller, &policy, "policy for separation of duties removed");
        match self.reports.policies.remove_sod_policy(id, &event).await? {
            true => Ok(()),
            false => Err(absent(id)),
        }
    }

    /// Starts the report of violations of one policy.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for the policy, and before the first snapshot.
    pub async fn run(&self, caller: &Caller, id: &SodPolicyId) -> Result<ViolationReport> {
        self.reports.authorise(caller, Operation::RunSodViolations)?;
        let policy = self.find(caller, id).await?;
        let task = self.start(caller, vec![id.as_str().into()]).await?;
        self.reports.policies.keep_sod_report(&caller.tenant, Some(id), &task.id).await?;
        Ok(ViolationReport { task, name: policy.content.name })
    }

    /// Starts the report of violations of these policies; of all policies where none is named.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` before the first snapshot; `Invalid` for an unknown policy, as the published operation, and where
    /// there is none.
    pub async fn run_several(&self, caller: &Caller, ids: Vec<String>) -> Result<ViolationReport> {
        self.reports.authorise(caller, Operation::RunSodViolations)?;
        let kept = self.reports.policies.sod_policies(&caller.tenant).await?;
        chosen(kept, &ids, "filteredPolicyList").map_err(|absent| Error::invalid(absent.message))?;
        let task = self.start(caller, ids).await?;
        self.reports.policies.keep_sod_report(&caller.tenant, None, &task.id).await?;
        Ok(ViolationReport { task, name: SEVERAL.into() })
    }

    /// The last report of a policy. Published documents call the id that of the policy and that of the report: both are
    /// understood.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for the policy, and where no report of it was run.
    pub async fn last(&self, caller: &Caller, id: &SodPolicyId) -> Result<ViolationReport> {
        self.reports.authorise(caller, Operation::ReadSodViolations)?;
        let Some(policy) = self.reports.policies.sod_policy(&caller.tenant, id).await? else {
            let absent = |error: Error| if error.category == Category::NotFound { absent(id) } else { error };
            return self.status(caller, &TaskId::new(id.as_str())).await.map_err(absent);
        };
        let kept = self.reports.policies.sod_report(&caller.tenant, Some(id)).await?;
        let task = match kept {
            Some(task) => self.reports.task(caller, &task).await?,
            None => None,
        };
        let name = policy.content.name;
        let task = task.ok_or_else(|| {
            Error::not_found(format!("there is no violation report of the policy {} yet", shown(&name)))
        })?;
        Ok(ViolationReport { task, name })
    }

    /// The last report of several policies.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` where none was run.
    pub async fn last_of_several(&self, caller: &Caller) -> Result<ViolationReport> {
        self.reports.authorise(caller, Operation::ReadSodViolations)?;
        let kept = self.reports.policies.sod_report(&caller.tenant, None).await?;
        let task = match kept {
            Some(task) => self.reports.task(caller, &task).await?,
            None => None,
        };
        let task =
            task.ok_or_else(|| Error::not_found("there is no violation report of several policies yet"))?;
        Ok(ViolationReport { task, name: SEVERAL.into() })
    }

    /// A report of violations.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`, also for a report of another kind.
    pub async fn status(&self, caller: &Caller, id: &TaskId) -> Result<ViolationReport> {
        self.reports.authorise(caller, Operation::ReadSodViolations)?;
        let task = self.reports.task(caller, id).await?;
        let task = task.filter(is_of_violations).ok_or_else(|| no_report(id))?;
        let name = policy_name(&task);
        Ok(ViolationReport { task, name })
    }

    /// The file of a report of violations. With `auditable`, the event is durable when this returns.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` with what is missing.
    pub async fn open(&self, caller: &Caller, id: &TaskId, auditable: bool) -> Result<Download> {
        let task = self.reports.ended(caller, Operation::ReadSodViolations, id).await?;
        if !is_of_violations(&task) {
            return Err(no_report(id));
        }
        self.reports.file_of(caller, task, FileFormat::Csv, auditable).await
    }

    async fn start(&self, caller: &Caller, ids: Vec<String>) -> Result<Task> {
        let named = ids.into_iter().map(RawValue::Text).collect::<Vec<_>>();
        let mut arguments = RawArguments::new();
        if !named.is_empty() {
            arguments.insert("policies".into(), RawValue::List(named));
        }
        let text = "violation report, run through the routes of policies for separation of duties";
        let note = Message { severity: Severity::Info, key: "sod_report".into(), text: text.into() };
        let how = Start { note: Some(note), ..Start::of(Operation::RunSodViolations) };
        self.reports.start(caller, &ReportId::new(SOD_VIOLATIONS), &arguments, how).await
    }

    async fn keep(&self, caller: &Caller, policy: SodPolicy, done: &str) -> Result<SodPolicy> {
        let modifier = caller.user.as_ref().map(|user| user.id.clone());
        let policy = SodPolicy { modified: self.reports.clock.now(), modifier, ..policy };
        let event = self.event(caller, &policy, done);
        match self.reports.policies.replace_sod_policy(&policy, &event).await? {
            true => Ok(policy),
            false => Err(absent(&policy.id)),
        }
    }

    /// The identity of a caller who may change policies. Reports of all callers depend on them.
    pub(super) fn may_manage(&self, caller: &Caller) -> Result<String> {
        self.reports.authorise(caller, Operation::ManageSodPolicies)?;
        if caller.scope() != DataScope::Everything {
            return Err(Error::forbidden(
                "the caller may see rows of named sources only: expected a caller who sees all rows, because reports of \
                 everybody depend on policies",
            ));
        }
        Ok(caller.user.as_ref().map(|user| user.id.clone()).unwrap_or_default())
    }

    async fn checked(&self, content: SodPolicyContent) -> Result<SodPolicyContent> {
        let content = content.checked()?;
        let argument = serde_json::to_value([&content]).unwrap_or_default();
        for search in searches(&crate::sod::policies("policies", &argument)?)? {
            self.reports.queries.check(&search.query).await.map_err(|error| Error {
                message: format!("query {}: {}", shown(&search.query), error.message),
                ..error
            })?;
        }
        Ok(content)
    }

    pub(super) async fn find(&self, caller: &Caller, id: &SodPolicyId) -> Result<SodPolicy> {
        self.reports.policies.sod_policy(&caller.tenant, id).await?.ok_or_else(|| absent(id))
    }

    pub(super) fn event(&self, caller: &Caller, policy: &SodPolicy, details: &str) -> AuditEvent {
        let details = format!("{details}: {}", policy.id);
        let operation = AuditOperation::ConfigurationChanged;
        self.reports.event(caller, operation, &TaskId::new(""), &policy.content.name, details)
    }
}

impl Reports {
    /// The arguments of a start, with kept policies where the report is about policies and the arguments have none of their
    /// own: those that a list of ids or names names, or else all. Their exceptions are taken too, unless the arguments have
    /// exceptions.
    pub(super) async fn with_kept_policies<'r>(
        &self,
        tenant: &TenantId,
        report: &ReportId,
        raw: &'r RawArguments,
    ) -> Result<Cow<'r, RawArguments>> {
        let Ok(definition) = self.catalogue.definition(report) else { return Ok(Cow::Borrowed(raw)) };
        let of_kind = |kind: &ArgumentKind| definition.arguments.iter().find(|spec| spec.kind == *kind);
        let Some(spec) = of_kind(&ArgumentKind::SodPolicies) else { return Ok(Cow::Borrowed(raw)) };
        let Some(names) = names(raw.get(&spec.name)) else { return Ok(Cow::Borrowed(raw)) };
        let kept = self.policies.sod_policies(tenant).await?;
        let chosen = match names.is_empty() {
            true => kept,
            false => chosen(kept, &names, &spec.name)?,
        };
        if chosen.is_empty() {
            return Err(Error::invalid(format!(
                "argument {:?} is missing, and no policy is kept: expected policies, or one that is kept",
                spec.name
            )));
        }
        let mut raw = raw.clone();
        let policies: Value = chosen.iter().map(SodPolicy::argument).collect();
        raw.insert(spec.name.clone(), RawValue::from(&policies));
        let exceptions = of_kind(&ArgumentKind::SodExceptions);
        let given = |name: &str| raw.get(name).is_some_and(|value| *value != RawValue::Null);
        if let Some(spec) = exceptions.filter(|spec| !given(&spec.name)) {
            let accepted: Vec<_> = chosen.iter().flat_map(SodPolicy::accepted).collect();
            if accepted.len() > EXCEPTIONS_MAX {
                return Err(Error::invalid(format!(
                    "the policies have {} exceptions together: expected at most {EXCEPTIONS_MAX}; name fewer policies",
                    accepted.len()
                )));
            }
            if !accepted.is_empty() {
                let accepted = serde_json::to_value(accepted).unwrap_or_default();
                raw.insert(spec.name.clone(), RawValue::from(&accepted));
            }
        }
        Ok(Cow::Owned(raw))
    }
}

/// The names of kept policies in an argument: none for all of them, `None` where the argument has policies itself.
fn names(argument: Option<&RawValue>) -> Option<Vec<String>> {
    let of_items = |items: &[Value]| {
        let names: Option<Vec<_>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        names.filter(|names| !names.is_empty())
    };
    match argument {
        None | Some(RawValue::Null) => Some(Vec::new()),
        Some(RawValue::Text(text)) => match serde_json::from_str::<Value>(text) {
            Ok(Value::Array(items)) => of_items(&items),
            Ok(_) | Err(_) => None,
        },
        Some(value @ RawValue::List(_)) => value.json().as_array().and_then(|items| of_items(items)),
        Some(RawValue::Boolean(_) | RawValue::Number(_) | RawValue::Object(_)) => None,
    }
}

/// The policies that are named by id or name.
fn chosen(kept: Vec<SodPolicy>, names: &[String], argument: &str) -> Result<Vec<SodPolicy>> {
    let is = |policy: &SodPolicy, name: &String| policy.id.as_str() == name || policy.content.name == *name;
    for name in names {
        if !kept.iter().any(|policy| is(policy, name)) {
            let known = kept.iter().map(|policy| policy.content.name.as_str());
            return Err(Error::not_found(format!(
                "argument {argument:?}: there is no policy {}{}: expected ids or names of policies that are kept",
                shown(name),
                hint(name, known)
            )));
        }
    }
    Ok(kept.into_iter().filter(|policy| names.iter().any(|name| is(policy, name))).collect())
}

fn is_of_violations(task: &Task) -> bool {
    task.report.as_str() == SOD_VIOLATIONS
}

/// The name of the policy that a task reports; of several, a common one.
fn policy_name(task: &Task) -> String {
    let policies = task.arguments.text("policies").unwrap_or_default();
    let policies: Vec<crate::sod::Policy> = serde_json::from_str(policies).unwrap_or_default();
    match &policies[..] {
        [one] => one.name.clone(),
        _ => SEVERAL.into(),
    }
}

fn absent(id: &SodPolicyId) -> Error {
    Error::not_found(format!("there is no policy {}", shown(id.as_str())))
}

fn no_report(id: &TaskId) -> Error {
    Error::not_found(format!("there is no violation report {}", shown(id.as_str())))
}
