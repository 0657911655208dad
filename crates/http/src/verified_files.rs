//! Published files whose content this process has compared with their records.
//!
//! Why: a part of a file may be sent only after the digest of the whole file was verified.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Published files that are remembered as verified.
const VERIFIED_MAX: usize = 4_096;

/// Names of published files whose content equals their records. The oldest names are forgotten. A name is never given
/// to another file.
pub(crate) struct VerifiedFiles {
    names: Mutex<VecDeque<String>>,
    /// Held while a file is read for its digest alone, because clients request many parts of one file at once.
    turn: Arc<Semaphore>,
}

impl VerifiedFiles {
    pub(crate) fn new() -> Self {
        Self { names: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }

    /// The turn to verify a file; `None` if it is verified already.
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
