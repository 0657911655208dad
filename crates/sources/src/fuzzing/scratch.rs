//! A file of this thread's own, for readers of files.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file that is written again for every input and removed with its thread.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

thread_local! {
    static FILE: Scratch = {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("muster-fuzzing-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Scratch(std::env::temp_dir().join(name))
    };
}

/// Calls `read` with a file that holds `bytes`.
pub(super) fn with_file<T>(bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    FILE.with(|file| {
        std::fs::write(&file.0, bytes).expect("a temporary file can be written");
        read(&file.0)
    })
}
