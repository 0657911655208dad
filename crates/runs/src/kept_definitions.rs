//! The reports that the store keeps, as this process knows them.
//!
//! Several processes share a store. Each looks for changes every two seconds, and before each run of a custom report. So a
//! run has the newest version, wherever it was added.

use crate::definition_check::check_definition;
use async_trait::async_trait;
use muster_engine::Engine;
use muster_engine::read_only_sql::check;
use muster_reports::definition_fault::DefinitionFault;
use muster_reports::error::{Result, error_chain};
use muster_reports::ids::{ReportId, TenantId, sha256_hex};
use muster_reports::kept_definition::KeptDefinition;
use muster_reports::ports::{CustomReports, DefinitionStore};
use muster_reports::{Catalogue, Error, ReportDefinition};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a process looks for changes.
const POLL: Duration = Duration::from_secs(2);

/// The reports there are, those that the store keeps among them.
pub struct KeptDefinitions {
    store: Arc<dyn DefinitionStore>,
    tenant: TenantId,
    catalogue: Catalogue,
}

impl KeptDefinitions {
    /// Of a tenant; `catalogue` and its clones get what is kept.
    pub fn new(store: Arc<dyn DefinitionStore>, tenant: TenantId, catalogue: Catalogue) -> Self {
        Self { store, tenant, catalogue }
    }

    /// Takes what the store keeps now. A definition that this version of the program cannot use is left out, and the log
    /// says so.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn reload(&self) -> Result<()> {
        self.take(&mut BTreeSet::new()).await
    }

    /// [`Self::reload`]; the log does not say again what `told` has.
    async fn take(&self, told: &mut BTreeSet<(ReportId, u32)>) -> Result<()> {
        let kept = self.store.definitions(&self.tenant).await?;
        let mut usable = Vec::with_capacity(kept.len());
        for kept in &kept {
            match self.read(kept) {
                Ok(definition) => usable.push(definition),
                Err(error) if told.insert((kept.id.clone(), kept.version)) => {
                    let report = kept.id.as_str();
                    let error = error_chain(&error);
                    tracing::warn!(report, version = kept.version, error, "a report cannot be used");
                }
                Err(_) => {}
            }
        }
        self.catalogue.keep(usable);
        Ok(())
    }

    /// The definition of a version; the one that is known already, if it has the same text.
    fn read(&self, kept: &KeptDefinition) -> Result<Arc<ReportDefinition>> {
        let digest = sha256_hex([kept.text.as_str()]);
        if let Some(known) = self.catalogue.get(&kept.id).filter(|known| known.digest == digest) {
            return Ok(known);
        }
        let place = format!("{} version {}", kept.id, kept.version);
        let definition = ReportDefinition::from_toml(&kept.text, &place)?;
        check(&definition).map_err(|error| Error::internal(place, error))?;
        Ok(Arc::new(definition))
    }

    /// The report with this id, in its newest version.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn definition(&self, id: &ReportId) -> Result<Option<Arc<ReportDefinition>>> {
        if !self.catalogue.is_fixed(id) {
            self.reload().await?;
        }
        Ok(self.catalogue.get(id))
    }

    /// Takes changes until `stop` is cancelled.
    pub async fn follow(self, stop: CancellationToken) {
        let mut told = BTreeSet::new();
        while !stop.is_cancelled() {
            if let Err(error) = self.take(&mut told).await {
                tracing::warn!(error = error_chain(&error), "definitions of reports cannot be read");
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

/// Definitions of custom reports, as the service checks and takes them.
pub struct CustomDefinitions {
    /// Plans their queries.
    pub engine: Arc<Engine>,
    /// Where they are taken from, and to.
    pub kept: KeptDefinitions,
}

#[async_trait]
impl CustomReports for CustomDefinitions {
    async fn check(&self, text: &str) -> Result<(Option<ReportDefinition>, Vec<DefinitionFault>)> {
        check_definition(&self.engine, text, &self.kept.catalogue).await
    }

    async fn reload(&self) -> Result<()> {
        self.kept.reload().await
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use chrono::DateTime;
    use muster_reports::audit::AuditOperation;
    use muster_testkit::{MemoryStore, acts, build};

    fn kept(version: u32, query: &str) -> KeptDefinition {
        let text = format!(
            "id = \"mine\"\nversion = {version}\nname = \"Mine\"\ndescription = \"d\"\nrow = \"r\"\nformats = [\"CSV\"]\n\
             order_by = [\"n\"]\nquery = \"{query}\"\npopulation = \"SELECT count(*) FROM accounts\"\n[[columns]]\n\
             name = \"n\"\nlabel = \"N\"\nmeaning = \"m\"\n"
        );
        KeptDefinition {
            id: ReportId::new("mine"),
            version,
            text,
            added: DateTime::UNIX_EPOCH,
            added_by: "ada".into(),
            removed: None,
        }
    }

    #[tokio::test]
    async fn a_run_has_the_newest_version_of_the_store() {
        let store = Arc::new(MemoryStore::default());
        let add = async |kept: KeptDefinition| {
            let event =
                acts::event(AuditOperation::ConfigurationChanged, &build::tenant(), DateTime::UNIX_EPOCH);
            store.add_definition(&kept, &event).await.unwrap()
        };
        let node = KeptDefinitions::new(store.clone(), build::tenant(), Catalogue::built_in());
        let id = ReportId::new("mine");
        let version = async || node.definition(&id).await.unwrap().map(|definition| definition.version);
        assert_eq!(version().await, None);
        add(kept(1, "SELECT id AS n FROM accounts")).await;
        assert_eq!(version().await, Some(1));
        add(kept(2, "SELECT id AS n FROM accounts")).await;
        assert_eq!(version().await, Some(2));
        // What cannot be used is not run, and nothing else is in its place.
        add(kept(3, "DELETE FROM accounts")).await;
        assert_eq!(version().await, None);
    }
}
