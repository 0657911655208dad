//! Definitions of custom reports: checking, keeping and removing them.
//!
//! Whoever may manage definitions decides what the reports of all others say, so it takes a user who administers reports
//! and may see all rows. What a report shows is limited by the data scope of whoever runs it, whatever its queries are.

use super::Reports;
use crate::audit::{AuditEvent, AuditOperation};
use crate::caller::{Caller, DataScope, Operation};
use crate::definition::ReportDefinition;
use crate::definition_fault::DefinitionFault;
use crate::error::{Error, Result, shown};
use crate::ids::{ReportId, TaskId};
use crate::kept_definition::{Addition, KeptDefinition};
use crate::ports::{CustomReports, DefinitionStore};
use std::sync::Arc;

/// Faults that a refusal names; a check has all.
const FAULTS_SHOWN: usize = 5;

impl Reports {
    /// The reports that the caller may see, by id.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn definitions(&self, caller: &Caller) -> Result<Vec<Arc<ReportDefinition>>> {
        self.authorise(caller, Operation::ReadResult)?;
        let seen = |report: &ReportId| caller.auditor().is_none_or(|limits| limits.reports.contains(report));
        Ok(self.catalogue.iter().filter(|definition| seen(&definition.id)).collect())
    }

    /// Whether a caller may do what concerns rows of all sources.
    pub(super) fn authorise_all_rows(&self, caller: &Caller, operation: Operation) -> Result<()> {
        self.authorise(caller, operation)?;
        match caller.scope() {
            DataScope::Everything => Ok(()),
            DataScope::Sources(_) => Err(Error::forbidden(
                "the caller may see rows of named sources only: expected one who may see all",
            )),
        }
    }
}

/// The use cases of definitions.
pub struct Definitions {
    /// The reports there are.
    pub reports: Arc<Reports>,
    /// What is kept.
    pub store: Arc<dyn DefinitionStore>,
    /// What checks definitions, and takes what is kept.
    pub custom: Arc<dyn CustomReports>,
}

impl Definitions {
    /// The newest version of each report that is kept, by id. An auditor sees the named ones.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<KeptDefinition>> {
        self.reports.authorise(caller, Operation::ReadResult)?;
        let mut kept = self.store.definitions(&caller.tenant).await?;
        if let Some(limits) = caller.auditor() {
            kept.retain(|definition| limits.reports.contains(&definition.id));
        }
        Ok(kept)
    }

    /// The versions of a report that is not removed, the newest first.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn versions(&self, caller: &Caller, id: &ReportId) -> Result<Vec<KeptDefinition>> {
        self.reports.authorise(caller, Operation::ReadResult)?;
        if caller.auditor().is_some_and(|limits| !limits.reports.contains(id)) {
            return Err(absent(id));
        }
        let versions = self.store.definition_versions(&caller.tenant, id).await?;
        match versions.first() {
            Some(newest) if newest.removed.is_none() => Ok(versions),
            Some(_) | None => Err(absent(id)),
        }
    }

    /// Everything that is wrong with a text.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn check(&self, caller: &Caller, text: &str) -> Result<Vec<DefinitionFault>> {
        self.reports.authorise_all_rows(caller, Operation::ManageDefinitions)?;
        Ok(self.custom.check(text).await?.1)
    }

    /// Keeps a version of a report: who may start reports can start it from then on, on every node within seconds.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` with what is wrong with the text, or with its version.
    pub async fn add(&self, caller: &Caller, text: &str) -> Result<(KeptDefinition, Addition)> {
        self.reports.authorise_all_rows(caller, Operation::ManageDefinitions)?;
        let (definition, faults) = self.custom.check(text).await?;
        let definition = definition.filter(|_| faults.is_empty()).ok_or_else(|| refused(&faults))?;
        let kept = KeptDefinition {
            id: definition.id.clone(),
            version: definition.version,
            text: text.to_owned(),
            added: self.reports.clock.now(),
            added_by: caller.launcher().to_owned(),
            removed: None,
        };
        let event = self.event(caller, &definition.id, added(&definition));
        let addition = self.store.add_definition(&kept, &event).await?;
        self.custom.reload().await?;
        Ok((kept, addition))
    }

    /// Removes a report: nobody can start it any more. Its versions and its results stay.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn remove(&self, caller: &Caller, id: &ReportId) -> Result<()> {
        self.reports.authorise_all_rows(caller, Operation::ManageDefinitions)?;
        let event = self.event(caller, id, "definition removed".to_owned());
        if !self.store.remove_definition(id, self.reports.clock.now(), &event).await? {
            return Err(absent(id));
        }
        self.custom.reload().await
    }

    fn event(&self, caller: &Caller, id: &ReportId, details: String) -> AuditEvent {
        let no_task = TaskId::new(String::new());
        self.reports.event(caller, AuditOperation::ConfigurationChanged, &no_task, id.as_str(), details)
    }
}

/// What the audit trail says of a definition that is added.
pub fn added(definition: &ReportDefinition) -> String {
    format!("definition added, version {}, sha-256 {}", definition.version, definition.digest)
}

fn refused(faults: &[DefinitionFault]) -> Error {
    let mut shown: Vec<_> = faults.iter().take(FAULTS_SHOWN).map(ToString::to_string).collect();
    if let Some(more) = faults.len().checked_sub(FAULTS_SHOWN).filter(|more| *more > 0) {
        shown.push(format!("and {more} more"));
    }
    Error::invalid(format!("the definition cannot be used: {}", shown.join("; ")))
}

fn absent(id: &ReportId) -> Error {
    Error::not_found(format!("no definition of a report {} is kept", shown(id.as_str())))
}
