//! The kinds of sources.
//!
//! A kind is one folder with the files `mod.rs`, `settings.rs` (what a definition says about it) and `reader.rs` (how it
//! is read), and one line in the list below. `delimited` is the model for files that are read from front to back, `ldap`
//! for sources on the network. Kinds do not use each other, except that `delta` reads its files as `parquet` does, and that
//! `scim` has the change settings of `ldap`.

pub mod delimited;
pub(crate) mod delta;
pub(crate) mod documents;
pub(crate) mod ldap;
pub(crate) mod ndjson;
pub(crate) mod parquet;
pub(crate) mod scim;
pub(crate) mod sql;
pub(crate) mod tenant;

use serde::{Deserialize, Serialize};

use crate::source_kind::{Fault, SourceKind};

/// Calls a macro with the list of kinds: the folder, which is also the name in definitions, and the variant and settings.
macro_rules! for_each_kind {
    ($then:ident) => {
        $then! {
            /// A delimited file.
            delimited: Delimited(DelimitedSettings),
            /// A Delta table.
            delta: Delta(DeltaSettings),
            /// A file of search documents; it gives no accounts.
            documents: Documents(DocumentsSettings),
            /// A directory server.
            ldap: Ldap(LdapSettings),
            /// Files of JSON objects, one on each line.
            ndjson: Ndjson(NdjsonSettings),
            /// Parquet files.
            parquet: Parquet(ParquetSettings),
            /// A service that speaks SCIM 2.0.
            scim: Scim(ScimSettings),
            /// A query on a database.
            sql: Sql(SqlSettings),
            /// An Identity Security Cloud tenant.
            tenant: Tenant(TenantSettings),
        }
    };
}
pub(crate) use for_each_kind;

macro_rules! declare_settings {
    ($($(#[$doc:meta])* $kind:ident: $variant:ident($settings:ident),)*) => {
        /// The kind of a source with its settings.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ReaderSettings {
            $($(#[$doc])* $variant(Box<$kind::$settings>),)*
        }

        $(
            impl From<$kind::$settings> for ReaderSettings {
                fn from(settings: $kind::$settings) -> Self {
                    Self::$variant(Box::new(settings))
                }
            }
        )*

        impl ReaderSettings {
            /// What the key `kind` may say; each kind has a table of the same name.
            pub(crate) const KINDS: &[&str] = &[$(stringify!($kind)),*];

            /// The kind as a definition file writes it.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => stringify!($kind),)*
                }
            }

            /// The settings, of whatever kind they are.
            pub(crate) fn settings(&self) -> &dyn SourceKind {
                match self {
                    $(Self::$variant(settings) => &**settings,)*
                }
            }
        }
    };
}
for_each_kind!(declare_settings);

impl ReaderSettings {
    /// Where a record is, in the words of the kind. A record whose number is not known is `a record`.
    #[must_use]
    pub fn place(&self, number: u64) -> String {
        match (self.settings().counts(), number) {
            ("line", line) => format!("line {line}"),
            (_, 0) => "a record".to_owned(),
            (counted, number) => format!("{counted} {number}"),
        }
    }

    /// Whether it gives search documents, and no accounts.
    #[must_use]
    pub fn gives_documents(&self) -> bool {
        self.settings().gives_documents()
    }

    /// The attributes whose values are entitlements.
    #[must_use]
    pub fn entitlements(&self) -> &[String] {
        self.settings().entitlements()
    }

    /// Whether several records with one native identity are one account, whose values are united.
    #[must_use]
    pub fn merge_rows(&self) -> bool {
        self.settings().merge_rows()
    }

    /// The first fault.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let (key, reason) = self.settings().fault()?;
        Some((self.key(&key), reason))
    }

    /// The attributes that are kept, with their key, where the definition lists them.
    pub(crate) fn listed(&self) -> Option<(String, &[String])> {
        let (key, names) = self.settings().listed()?;
        Some((self.key(key), names))
    }

    /// The columns that the reader needs, with their keys.
    pub(crate) fn named(&self) -> Vec<(String, &str)> {
        let named = self.settings().named().into_iter();
        named.map(|(key, name)| (self.key(&key), name)).collect()
    }

    /// Attributes that must be among the listed ones, with their keys.
    pub(crate) fn marked(&self) -> Vec<(String, &str)> {
        let marked = self.settings().marked().into_iter();
        marked.map(|(key, name)| (self.key(&key), name)).collect()
    }

    /// A key of the kind's table as the whole definition has it.
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored definitions name the variant, and definition files name the kind: they must be the same word.
    #[test]
    fn a_kind_is_stored_under_its_own_name() {
        let error =
            serde_json::from_str::<ReaderSettings>(r#"{"fax": {}}"#).expect_err("there is no such kind");
        let error = error.to_string();
        let stored: Vec<_> = error.split('`').skip(3).step_by(2).collect();
        assert_eq!(stored, ReaderSettings::KINDS, "{error}");
    }
}
