//! Documents that are generated from the code. A test of the crate that has the declarations calls [`check`], which fails
//! if the document is stale. `cargo xtask docs` runs these tests with `UPDATE_PAGES=1`, which writes the documents.

use std::path::Path;

/// Compares a document of the repository with the generated text. Cargo runs a test in the folder of its package, from
/// which this finds the document.
///
/// # Panics
/// When the document is stale, or cannot be written.
pub fn check(document: &str, text: &str) {
    let path = Path::new("../..").join(document);
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&path, text).expect("the repository can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "{document} is stale: run cargo xtask docs");
}
