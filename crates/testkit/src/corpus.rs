//! Kept inputs of fuzzing. `fuzz/corpus` has a folder for each target. A test of the crate that owns the target's
//! function runs the function on every file in the folder.
//!
//! Why: `cargo test` then also tries the inputs that fuzzing found, and the inputs that reach every branch. It needs
//! neither a fuzzer nor time.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// Most files that a folder may have.
const FILES_MAX: usize = 100;
/// Most bytes that a file may have.
const FILE_BYTES_MAX: u64 = 4 * 1024;

/// Calls `check` with every kept input of `target`, in the order of their names. Returns their number. Cargo runs a
/// test in the folder of its package, from which this finds the corpus.
///
/// # Panics
/// When `check` panics; the file's name is printed first. When there is no kept input. When there are more inputs, or
/// larger ones, than the limits allow.
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
