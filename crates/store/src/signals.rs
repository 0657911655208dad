//! In-process signals of the task machine: work that may be due, and cancels. Over PostgreSQL other
//! processes raise them too.
//!
//! Neither loses a wake-up: work leaves a permit that the next wait takes, and a waiter for a
//! cancel is registered before the store is asked whether the cancel has happened already.

use muster_reports::ids::TaskId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, watch};

#[derive(Debug)]
pub(crate) struct Signals {
    work: Notify,
    /// As `work`, for who claims short tasks.
    short_work: Notify,
    waiters: Mutex<HashMap<TaskId, watch::Sender<bool>>>,
}

impl Signals {
    /// Signals of a store just opened: it may hold due work from before.
    pub(crate) fn new() -> Self {
        let signals = Self { work: Notify::new(), short_work: Notify::new(), waiters: Mutex::default() };
        signals.work();
        signals
    }

    /// A task may be due. Wakes one waiter of each kind, or else the next one.
    pub(crate) fn work(&self) {
        self.work.notify_one();
        self.short_work.notify_one();
    }

    /// Waits for [`Signals::work`], at most this long.
    pub(crate) async fn work_or(&self, at_most: Duration) {
        // The caller looks for work in both cases.
        let _ = tokio::time::timeout(at_most, self.work.notified()).await;
    }

    /// As [`Signals::work_or`], for who claims short tasks.
    pub(crate) async fn short_work_or(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.short_work.notified()).await;
    }

    /// The task has been cancelled. Wakes all its waiters.
    pub(crate) fn cancelled(&self, id: &TaskId) {
        if let Some(sender) = self.waiters().get(id) {
            sender.send_replace(true);
        }
    }

    /// Registers interest in the cancel of a task.
    pub(crate) fn wait_for_cancel(&self, id: &TaskId) -> CancelWaiter<'_> {
        let receiver =
            self.waiters().entry(id.clone()).or_insert_with(|| watch::Sender::new(false)).subscribe();
        CancelWaiter { signals: self, id: id.clone(), receiver: Some(receiver) }
    }

    /// The tasks whose cancel somebody waits for.
    pub(crate) fn waited_for(&self) -> Vec<TaskId> {
        self.waiters().keys().cloned().collect()
    }

    fn waiters(&self) -> MutexGuard<'_, HashMap<TaskId, watch::Sender<bool>>> {
        self.waiters.lock().expect("no holder of the waiters panics")
    }
}

/// Registered interest in one task's cancel; forgotten when dropped.
pub(crate) struct CancelWaiter<'s> {
    signals: &'s Signals,
    id: TaskId,
    receiver: Option<watch::Receiver<bool>>,
}

impl CancelWaiter<'_> {
    /// Returns once the task has been cancelled since this was registered.
    pub(crate) async fn wait(mut self) {
        let receiver = self.receiver.as_mut().expect("only dropping takes the receiver");
        receiver.wait_for(|cancelled| *cancelled).await.expect("the sender stays while there are receivers");
    }
}

impl Drop for CancelWaiter<'_> {
    fn drop(&mut self) {
        self.receiver = None;
        let mut waiters = self.signals.waiters();
        if waiters.get(&self.id).is_some_and(|sender| sender.receiver_count() == 0) {
            waiters.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiters_are_forgotten() {
        let signals = Signals::new();
        let id = TaskId::new("t");
        let first = signals.wait_for_cancel(&id);
        let second = signals.wait_for_cancel(&id);
        drop(first);
        assert_eq!(signals.waiters().len(), 1);
        signals.cancelled(&id);
        second.wait().await;
        assert!(signals.waiters().is_empty());
    }
}
