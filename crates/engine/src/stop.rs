//! A sign that a run is over.
//!
//! Why: a task that is aborted ends where it yields, but a function yields nowhere while it works on a batch, and
//! neither does a join that finds nothing. Such work looks at the sign instead.

use datafusion::common::{Result, exec_err};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the run that the work belongs to is over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// # Errors
    /// The run is over, and nobody waits for its rows.
    pub(crate) fn check(&self) -> Result<()> {
        // Nothing else is read because of it.
        if self.0.load(Ordering::Relaxed) { exec_err!("the run is over") } else { Ok(()) }
    }
}

/// A run, which is over when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Running(Stop);

impl Running {
    /// The sign for the run's work.
    pub(crate) fn stop(&self) -> Stop {
        self.0.clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Running;

    #[test]
    fn work_may_go_on_as_long_as_its_run_is_there() {
        let running = Running::default();
        let stop = running.stop();
        assert!(stop.check().is_ok());
        drop(running);
        assert!(stop.check().is_err());
    }
}
