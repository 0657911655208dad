//! How long the files of results are kept, for those who read results.

use super::Reports;
use crate::error::{Error, Result};
use crate::ids::TaskId;
use crate::result_life::ResultLife;
use crate::task::Task;
use std::collections::HashMap;

impl Reports {
    /// The lives of these tasks' results, which the caller has been given; nothing of tasks without a result.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn lives<'t>(
        &self,
        tasks: impl IntoIterator<Item = &'t Task>,
    ) -> Result<HashMap<TaskId, ResultLife>> {
        let with_result: Vec<_> = tasks.into_iter().filter(|task| task.result.is_some()).collect();
        let Some(first) = with_result.first() else { return Ok(HashMap::new()) };
        let ids: Vec<_> = with_result.iter().map(|task| task.id.clone()).collect();
        let policy = self.limits.results;
        let lives = self.retention.lives(&first.tenant, &ids, policy.keep_last).await?;
        Ok(lives.into_iter().map(|(id, facts)| (id, policy.life(facts))).collect())
    }

    /// Refuses a task whose files have expired.
    ///
    /// # Errors
    /// `NotFound` that says when they expired; those of the store.
    pub async fn refuse_expired(&self, task: &Task) -> Result<()> {
        match self.lives([task]).await?.remove(&task.id).and_then(|life| life.expired) {
            None => Ok(()),
            Some(at) => Err(Error::not_found(format!(
                "report result {} expired at {}: its files are not kept any more",
                task.id,
                at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
            ))),
        }
    }
}
