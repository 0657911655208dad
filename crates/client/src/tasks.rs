//! The list of tasks (task-status).

use crate::error::Error;
use crate::page::{self, Page, Paging};
use crate::part::part;
use crate::retry::Repeat;
use crate::transport::Transport;
use futures_util::stream::Stream;
use muster_wire::{JsonPatchOp, JsonPatchOperation, JsonPatchValue, TaskStatus};
use serde_json::Value;
use std::sync::Arc;

const COLLECTION: &str = "task-status";
pub(crate) const PATCH: &str = "application/json-patch+json";

/// Which tasks are wanted.
///
/// ```
/// use muster_client::TaskFilter;
///
/// let live = TaskFilter { live: true, ..TaskFilter::default() };
/// assert_eq!(live.text(), Some("completionStatus isnull".to_owned()));
/// let of_ada = TaskFilter { launcher: Some("ada \"the\" first".into()), ..TaskFilter::default() };
/// assert_eq!(of_ada.text(), Some(r#"launcher eq "ada \"the\" first""#.to_owned()));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Those with one of these ids; all if it is empty.
    pub ids: Vec<String>,
    /// Those about this source.
    pub source_id: Option<String>,
    /// Those that this user or client started.
    pub launcher: Option<String>,
    /// Those that ended like this, such as `SUCCESS`.
    pub completion_status: Option<String>,
    /// Those that wait or run.
    pub live: bool,
    /// Whether the first is the one that was accepted first; otherwise it is the last.
    pub oldest_first: bool,
}

impl TaskFilter {
    /// The published filter; `None` if all tasks are wanted.
    pub fn text(&self) -> Option<String> {
        let equal = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("{name} eq {}", quoted(value)))
        };
        let ids: Vec<_> = self.ids.iter().map(|id| quoted(id)).collect();
        let conditions = [
            (!ids.is_empty()).then(|| format!("id in ({})", ids.join(", "))),
            equal("sourceId", &self.source_id),
            equal("launcher", &self.launcher),
            equal("completionStatus", &self.completion_status),
            self.live.then(|| "completionStatus isnull".to_owned()),
        ];
        let conditions: Vec<_> = conditions.into_iter().flatten().collect();
        (!conditions.is_empty()).then(|| conditions.join(" and "))
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        let filters = self.text().map(|text| ("filters", text));
        let sorters = self.oldest_first.then(|| ("sorters", "created".to_owned()));
        filters.into_iter().chain(sorters).collect()
    }
}

/// A text in a published filter.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A JSON patch as it is sent.
pub(crate) fn patch_text(patch: &[JsonPatchOperation]) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(patch).map_err(|error| Error::Argument(format!("the patch is not JSON: {error}")))
}

/// The list of tasks: runs of reports, and refreshes.
#[derive(Clone)]
pub struct TaskManagementApi {
    transport: Arc<Transport>,
}

part!(TaskManagementApi);

impl TaskManagementApi {
    /// Part of the list of tasks.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn list(&self, filter: &TaskFilter, paging: Paging) -> Result<Page<TaskStatus>, Error> {
        let url = self.transport.url(COLLECTION, &[])?;
        let query = [filter.query(), paging.query()].concat();
        page::page(&self.transport, |http| http.get(url.clone()).query(&query)).await
    }

    /// All tasks of the list, fetched as they are taken.
    ///
    /// # Errors
    /// [`Error::Configuration`]; each element may be an error as of [`Self::list`].
    pub fn stream(
        &self,
        filter: &TaskFilter,
    ) -> Result<impl Stream<Item = Result<TaskStatus, Error>> + Send + 'static, Error> {
        let url = self.transport.url(COLLECTION, &[])?;
        Ok(page::all(self.transport.clone(), url, filter.query(), None))
    }

    /// Part of the list of tasks that wait or run (pending-tasks).
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn list_pending(&self, paging: Paging) -> Result<Page<TaskStatus>, Error> {
        let url = self.transport.url(COLLECTION, &["pending-tasks"])?;
        let query = paging.query();
        page::page(&self.transport, |http| http.get(url.clone()).query(&query)).await
    }

    /// A task.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn get(&self, id: &str) -> Result<TaskStatus, Error> {
        let url = self.transport.url(COLLECTION, &[id])?;
        self.transport.json(Repeat::Always, |http| http.get(url.clone())).await
    }

    /// Changes a task by a JSON patch.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn update(&self, id: &str, patch: &[JsonPatchOperation]) -> Result<TaskStatus, Error> {
        let url = self.transport.url(COLLECTION, &[id])?;
        let body = patch_text(patch)?;
        let send = |http: &reqwest::Client| {
            http.patch(url.clone()).header(reqwest::header::CONTENT_TYPE, PATCH).body(body.clone())
        };
        self.transport.json(Repeat::Always, send).await
    }

    /// Ends a task: a cancel through the list of tasks.
    ///
    /// # Errors
    /// [`Error::Refused`] and what comes before an answer.
    pub async fn terminate(&self, id: &str) -> Result<TaskStatus, Error> {
        let operation = JsonPatchOperation {
            op: JsonPatchOp::Replace,
            path: "/completionStatus".into(),
            value: Some(JsonPatchValue(Value::from("TERMINATED"))),
        };
        self.update(id, &[operation]).await
    }
}
