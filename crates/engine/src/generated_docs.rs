//! Documents that are generated from the code. A test fails if one is stale. `cargo xtask docs` runs these tests with
//! `UPDATE_PAGES=1`, which writes the documents.

use std::path::PathBuf;

/// Compares a document of the repository with the generated text.
pub(crate) fn check(document: &str, text: &str) {
    let path = PathBuf::from("../..").join(document);
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&path, text).expect("the repository can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "{document} is stale: run cargo xtask docs");
}
