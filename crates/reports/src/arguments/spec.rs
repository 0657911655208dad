//! What an argument of a report is, as its definition says.

use serde::{Deserialize, Serialize};

/// A checked argument value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ArgumentValue {
    /// A boolean.
    Boolean(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// A list of texts.
    Texts(Vec<String>),
}

/// What an argument holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum ArgumentKind {
    /// `true` or `false`.
    Boolean,
    /// A whole number, from `min` to `max`.
    Integer {
        /// The least number.
        #[serde(default = "least")]
        min: i64,
        /// The greatest number.
        #[serde(default = "greatest")]
        max: i64,
    },
    /// A day such as `2026-03-31`.
    Date,
    /// The snapshot with which a period begins: its id, a day or a time. A start puts the id in place of the others
    /// ([`crate::series`]).
    Snapshot,
    /// The id of a closed access review ([`crate::review`]), whose items the report reads.
    Review,
    /// Any text that is not blank.
    Text,
    /// The id of a source of the snapshot.
    SourceId,
    /// The id of an authoritative source of the snapshot.
    AuthoritativeSourceId,
    /// The name of the source that the `SourceId` argument names; a difference is a warning.
    SourceName,
    /// A search query, as a text or wrapped in an object as older clients send it.
    Query,
    /// Policies for separation of duties ([`crate::sod`]), as JSON or as a text of it.
    SodPolicies,
    /// Violations of such policies that somebody has accepted.
    SodExceptions,
    /// Names in an order that matters, as one text with commas between them or as a list; blank is absent.
    Names,
    /// A list of texts; a set when `allowed` is not empty.
    Texts {
        /// The permitted texts; empty when any is.
        #[serde(default)]
        allowed: Vec<String>,
    },
}

fn least() -> i64 {
    i64::MIN
}

fn greatest() -> i64 {
    i64::MAX
}

impl ArgumentKind {
    /// The name that definition files have for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer { .. } => "integer",
            Self::Date => "date",
            Self::Snapshot => "snapshot",
            Self::Review => "review",
            Self::Text => "text",
            Self::SourceId => "source_id",
            Self::AuthoritativeSourceId => "authoritative_source_id",
            Self::SourceName => "source_name",
            Self::Query => "query",
            Self::SodPolicies => "sod_policies",
            Self::SodExceptions => "sod_exceptions",
            Self::Names => "names",
            Self::Texts { .. } => "texts",
        }
    }

    /// What a request should have held, for error texts.
    pub fn expectation(&self) -> String {
        match self {
            Self::Boolean => "true or false".into(),
            Self::Integer { min: i64::MIN, max: i64::MAX } => "a whole number".into(),
            Self::Integer { min, max: i64::MAX } => format!("a whole number from {min} on"),
            Self::Integer { min: i64::MIN, max } => format!("a whole number up to {max}"),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Date => "a day such as 2026-03-31".into(),
            Self::Snapshot => {
                "the id of a snapshot, a day such as 2026-03-31, or a time such as 2026-03-31T12:00:00Z"
                    .into()
            }
            Self::Review => "the id of a closed access review, as a text".into(),
            Self::Text => "a text".into(),
            Self::SourceId => "the id of a source, as a text".into(),
            Self::AuthoritativeSourceId => "the id of an authoritative source, as a text".into(),
            Self::SourceName => "the name of the source, as a text".into(),
            Self::Query => "a search query, as a text".into(),
            Self::SodPolicies => "a list of policies in the published shape, as JSON".into(),
            Self::SodExceptions => {
                "a list of exceptions, each with policy, identity, owner, reason and ends, as JSON".into()
            }
            Self::Names => "names with commas between them, as a text".into(),
            Self::Texts { allowed } if allowed.is_empty() => "a list of texts".into(),
            Self::Texts { allowed } => format!("a list of {}", allowed.join(", ")),
        }
    }
}

/// One argument of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgumentSpec {
    /// The name in the request.
    pub name: String,
    /// What it holds.
    #[serde(flatten)]
    pub kind: ArgumentKind,
    /// Whether a request without it is refused.
    #[serde(default)]
    pub required: bool,
    /// The value that is taken when it is absent.
    #[serde(default)]
    pub default: Option<ArgumentValue>,
    /// What it does, for people.
    pub meaning: String,
}
