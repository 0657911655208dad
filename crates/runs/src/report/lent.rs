//! A file that is lent to a writer.

use crate::result_files::PendingFile;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A file that a writer writes to and that is ours again when the writer has ended.
#[derive(Clone)]
pub(super) struct Lent(Arc<Mutex<PendingFile>>);

impl Lent {
    pub(super) fn new(file: PendingFile) -> Self {
        Self(Arc::new(Mutex::new(file)))
    }

    pub(super) fn into_inner(self) -> PendingFile {
        let file = Arc::into_inner(self.0).expect("the writer has ended");
        file.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> MutexGuard<'_, PendingFile> {
        // A panic cannot leave a file half changed in memory.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Lent {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file().flush()
    }
}
