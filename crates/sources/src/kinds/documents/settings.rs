//! What a definition says about a file of search documents.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::documents::DocumentType;
use crate::source_kind::{Fault, SourceSettings};

/// The `[documents]` table of a definition file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentsSettings {
    /// The file; a relative path is taken from the definition file's folder. One that ends in `.yaml` or `.yml`
    /// holds named examples as OpenAPI documents write them, any other one JSON document a line.
    pub path: String,
    /// The kind that every document of the file is of; when absent each says or shows its own.
    #[serde(default)]
    pub index: Option<DocumentType>,
}

impl SourceSettings for DocumentsSettings {
    fn counts(&self) -> &'static str {
        "line"
    }

    fn fault(&self) -> Option<Fault> {
        let blank = self.path.trim().is_empty();
        blank.then(|| ("path".to_owned(), "must not be blank".to_owned()))
    }

    fn gives_documents(&self) -> bool {
        true
    }
}

impl DocumentsSettings {
    /// Whether the file holds named examples.
    pub(super) fn is_yaml(&self) -> bool {
        let ending = Path::new(&self.path).extension();
        ending.is_some_and(|ending| ending.eq_ignore_ascii_case("yaml") || ending.eq_ignore_ascii_case("yml"))
    }
}
