//! Published files whose content this process has compared with their records.
//!
//! Why: a part of a file can only be sent once the digest of the whole is known to be right.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Published files that are remembered as verified.
const VERIFIED_MAX: usize = 4_096;

/// Names of published files whose content was found to be that of their records; the oldest are forgotten. A name is
/// never given to another file.
pub(crate) struct VerifiedFiles {
    names: Mutex<VecDeque<String>>,
    /// Held while a file is read for its digest alone: many parts of one file are asked for at once.
    turn: Arc<Semaphore>,
}

impl VerifiedFiles {
    pub(crate) fn new() -> Self {
        Self { names: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }

    /// The turn to look at a file that is not known yet; `None` where it is known.
    pub(crate) async fn turn(&self, name: &str) -> Option<OwnedSemaphorePermit> {
        if self.has(name) {
            return None;
        }
        Some(self.turn.clone().acquire_owned().await.expect("it is never closed"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.names().iter().any(|known| known == name)
    }

    pub(crate) fn add(&self, name: &str) {
        let mut names = self.names();
        if names.len() == VERIFIED_MAX {
            names.pop_front();
        }
        names.push_back(name.to_owned());
    }

    fn names(&self) -> MutexGuard<'_, VecDeque<String>> {
        // A panic cannot leave the list half changed.
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
