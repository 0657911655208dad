//! One service, of which each part of the API is a value of its own.

use crate::api::ReportsDataExtractionApi;
use crate::configuration::Configuration;
use crate::definitions::DefinitionApi;
use crate::error::Error;
use crate::history::IdentityHistoryApi;
use crate::installation::InstallationApi;
use crate::reviews::ReviewApi;
use crate::saved_searches::SavedSearchApi;
use crate::scheduled_searches::ScheduledSearchApi;
use crate::schedules::ScheduleApi;
use crate::search::SearchApi;
use crate::sod_policies::SodPolicyApi;
use crate::tasks::TaskManagementApi;
use crate::transport::Transport;
use std::sync::Arc;

/// A service; cheap to clone. All parts and clones share connections and one token.
///
/// ```no_run
/// # async fn run() -> Result<(), muster_client::Error> {
/// use muster_client::{Client, Configuration, Paging, TaskFilter};
///
/// let client = Client::new(Configuration::from_env()?)?;
/// for task in client.tasks().list(&TaskFilter::default(), Paging::first(10)).await?.items {
///     println!("{}: {} %", task.unique_name, task.percent_complete);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    transport: Arc<Transport>,
}

impl Client {
    /// The service that `configuration` names. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Configuration`].
    pub fn new(configuration: Configuration) -> Result<Self, Error> {
        Ok(Self { transport: Arc::new(Transport::new(configuration)?) })
    }

    /// Gets an access token unless there is one, and sends nothing else: whether address and credentials are right.
    ///
    /// # Errors
    /// [`Error::NoToken`], [`Error::Transport`].
    pub async fn authenticate(&self) -> Result<(), Error> {
        self.transport.authenticate().await
    }

    /// Reports: start, result, files, cancel.
    pub fn reports(&self) -> ReportsDataExtractionApi {
        ReportsDataExtractionApi { transport: self.transport.clone() }
    }

    /// The list of tasks.
    pub fn tasks(&self) -> TaskManagementApi {
        TaskManagementApi::with(self.transport.clone())
    }

    /// Search, count, aggregate.
    pub fn search(&self) -> SearchApi {
        SearchApi::with(self.transport.clone())
    }

    /// Saved searches.
    pub fn saved_searches(&self) -> SavedSearchApi {
        SavedSearchApi::with(self.transport.clone())
    }

    /// Scheduled searches.
    pub fn scheduled_searches(&self) -> ScheduledSearchApi {
        ScheduledSearchApi::with(self.transport.clone())
    }

    /// The history of identities.
    pub fn identity_history(&self) -> IdentityHistoryApi {
        IdentityHistoryApi::with(self.transport.clone())
    }

    /// Policies for separation of duties, and reports of their violations.
    pub fn sod_policies(&self) -> SodPolicyApi {
        SodPolicyApi::with(self.transport.clone())
    }

    /// Access reviews, which only Muster has.
    pub fn reviews(&self) -> ReviewApi {
        ReviewApi::with(self.transport.clone())
    }

    /// Reports of an installation's own, which only Muster has.
    pub fn definitions(&self) -> DefinitionApi {
        DefinitionApi::with(self.transport.clone())
    }

    /// Sources, snapshots and what administrators see, which only Muster has.
    pub fn installation(&self) -> InstallationApi {
        InstallationApi::with(self.transport.clone())
    }

    /// Schedules of reports, which only Muster has.
    pub fn schedules(&self) -> ScheduleApi {
        ScheduleApi::with(self.transport.clone())
    }
}
