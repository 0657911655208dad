//! A signal that a run is over.
//!
//! Why: an aborted task ends where it yields. A function does not yield while it works on a batch, and neither does a
//! join that finds nothing. Such code checks this signal instead.

use datafusion::common::{Result, exec_err};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The signal, held by code that works for a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct CancelSignal(Arc<AtomicBool>);

impl CancelSignal {
    /// # Errors
    /// When the run is over, so that nobody waits for its rows.
    pub(crate) fn check(&self) -> Result<()> {
        // No other memory access depends on this flag.
        if self.0.load(Ordering::Relaxed) { exec_err!("the run is over") } else { Ok(()) }
    }
}

/// A run. It is over when this value is dropped.
#[derive(Debug, Default)]
pub(crate) struct RunGuard(CancelSignal);

impl RunGuard {
    /// The signal for the code that works for this run.
    pub(crate) fn signal(&self) -> CancelSignal {
        self.0.clone()
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::RunGuard;

    #[test]
    fn work_may_go_on_as_long_as_its_run_is_there() {
        let running = RunGuard::default();
        let signal = running.signal();
        assert!(signal.check().is_ok());
        drop(running);
        assert!(signal.check().is_err());
    }
}
