//! Kept inputs of fuzzing: `fuzz/corpus` has a folder for each target, and a test of the crate that owns the target's
//! function gives it every file there.
//!
//! Why: what fuzzing once found, and what leads it into every corner, is then tried by `cargo test` too, which needs
//! neither a fuzzer nor time.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// Most files that a folder may have.
const FILES_MAX: usize = 100;
/// Most bytes that a file may have.
const FILE_BYTES_MAX: u64 = 4 * 1024;

/// Gives `check` every kept input of `target`, in the order of their names. How many there were. The folder is found from
/// that of the package whose test this is, where cargo runs it.
///
/// # Panics
/// As `check` does, with the file's name said before; when there is no kept input, or one more or larger than is meant
/// to be kept.
pub fn replay(target: &str, check: impl Fn(&[u8])) -> usize {
    let folder = Path::new("../../fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    files.sort();
    let count = files.len();
    assert!((1..=FILES_MAX).contains(&count), "{} has {count} files", folder.display());
    for file in files {
        let input = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(input.len() as u64 <= FILE_BYTES_MAX, "{} is too large", file.display());
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&input))) {
            eprintln!("{}: what must hold does not", file.display());
            resume_unwind(panic);
        }
    }
    count
}
