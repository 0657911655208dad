//! What every kind of source says of itself: the settings, and how a source of them is read.
//!
//! A kind is a folder in `kinds` and a line in its list. Everything else asks through these traits, and names no kind.

use std::path::{Path, PathBuf};

use crate::account::AccountSettings;
use crate::columns::Preset;
use crate::dates::DatePlace;
use crate::documents::DocumentReader;
use crate::named_columns::NamedColumns;
use crate::reader::{ReadError, RecordReader};
use crate::secret::Environment;
use crate::total::{TotalDefinition, TotalPlace};

/// What is wrong with a definition: the key, and what was expected.
pub(crate) type Fault = (String, String);

/// The table of a kind in a definition. Keys are given as they are below that table.
///
/// Most of it follows from the account's settings, for kinds that have them.
pub(crate) trait SourceSettings {
    /// The first fault.
    fn fault(&self) -> Option<Fault>;

    /// What the number of a record counts: `line`, `row` or `record`.
    fn counts(&self) -> &'static str {
        "record"
    }

    /// What the values of a record mean, for kinds with a table `account`.
    fn account(&self) -> Option<&AccountSettings> {
        None
    }

    /// Whether it gives search documents, and no accounts.
    fn gives_documents(&self) -> bool {
        false
    }

    /// Where the owner's total can be, besides a file.
    fn totals(&self) -> &'static [TotalPlace] {
        &[]
    }

    /// The attributes whose values are entitlements.
    fn entitlements(&self) -> &[String] {
        self.account().map_or(&[], |account| &account.entitlements)
    }

    /// Whether several records with one native identity are one account, whose values are united.
    fn merge_rows(&self) -> bool {
        self.account().is_some_and(|account| account.merge_rows)
    }

    /// The attributes that are kept, with their key, where the definition lists them.
    fn listed(&self) -> Option<(&'static str, &[String])> {
        Some(("account.attributes", self.account()?.attributes.as_deref()?))
    }

    /// The columns that the reader needs, with their keys.
    fn named(&self) -> Vec<(String, &str)> {
        self.account().map_or_else(Vec::new, AccountSettings::needed)
    }

    /// Attributes that must be among the listed ones, with their keys.
    fn marked(&self) -> Vec<(String, &str)> {
        self.account().map_or_else(Vec::new, AccountSettings::marked)
    }

    /// Whose attributes the accounts have, where the settings say it.
    fn preset(&self) -> Option<Preset> {
        None
    }

    /// Whether a name is that of an attribute in addition to the listed ones.
    fn adds(&self, _name: &str) -> bool {
        false
    }
}

/// How a source of a kind is read.
pub(crate) trait SourceKind: SourceSettings {
    /// Opens it for one read of accounts.
    ///
    /// # Errors
    /// [`ReadError`] when the source cannot be opened, or gives documents. A source on the network may say so with its
    /// first batch.
    fn open(&self, named: NamedColumns, opening: &Opening<'_>) -> Result<Box<dyn RecordReader>, ReadError>;

    /// Opens it for one full read of search documents; `None` where it gives none.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    fn open_documents(&self, _opening: &Opening<'_>) -> Result<Option<DocumentReader>, ReadError> {
        Ok(None)
    }

    /// The files that a read would take, for kinds that read accounts from files.
    ///
    /// # Errors
    /// [`ReadError`] when the settings are faulty or there is no file.
    fn files(&self, _base_dir: &Path) -> Result<Option<InputFiles<'_>>, ReadError> {
        Ok(None)
    }
}

/// What a source is opened with.
pub(crate) struct Opening<'a> {
    /// The folder from which relative paths are taken.
    pub(crate) base_dir: &'a Path,
    /// Where secrets may be.
    pub(crate) environment: Environment<'a>,
    /// What the definition says of the owner's total.
    pub(crate) total: Option<&'a TotalDefinition>,
    /// Where the last read ended; `None` for a full read.
    pub(crate) cursor: Option<&'a str>,
}

/// The files of a source.
pub(crate) struct InputFiles<'a> {
    /// In the order in which they are read.
    pub(crate) paths: Vec<PathBuf>,
    /// Where the date is that the data is of.
    pub(crate) as_of: Option<&'a DatePlace>,
    /// Whether the digest of a read is that of the files' bytes.
    pub(crate) has_digest_of_bytes: bool,
}
