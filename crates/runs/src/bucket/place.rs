//! The place of a bucket, as a person names it.

use muster_reports::error::{Error, Result};
use std::fmt;

/// Whose protocol a bucket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketKind {
    /// S3, or a service with the same protocol.
    S3,
    /// Azure Blob Storage.
    Azure,
    /// Google Cloud Storage.
    Google,
}

impl BucketKind {
    const ALL: [Self; 3] = [Self::S3, Self::Azure, Self::Google];

    /// Before the name of a bucket.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3://",
            Self::Azure => "az://",
            Self::Google => "gs://",
        }
    }

    /// How the properties begin that say how such a bucket is reached: the variables of the service's own programs, in small
    /// letters.
    pub fn properties(self) -> &'static str {
        match self {
            Self::S3 => "aws_",
            Self::Azure => "azure_",
            Self::Google => "google_",
        }
    }

    /// Some of these variables, for messages.
    pub(super) fn examples(self) -> &'static str {
        match self {
            Self::S3 => "AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL",
            Self::Azure => "AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_ENDPOINT",
            Self::Google => "GOOGLE_SERVICE_ACCOUNT, GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_BASE_URL",
        }
    }
}

/// A bucket, and how it is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct BucketPlace {
    /// Whose protocol it speaks.
    pub(super) kind: BucketKind,
    /// Its name.
    pub(crate) bucket: String,
    /// The folders in it, without a slash at either end; may be empty.
    pub(crate) prefix: String,
    /// Names and values of properties, such as `aws_region`. Some are secrets.
    pub(super) properties: Vec<(String, String)>,
    /// Bytes of a part of a large file, at least. What is smaller is sent at once.
    pub(super) part: u64,
}

/// Bytes of a part, unless somebody says otherwise.
const PART: u64 = 16 << 20;

impl fmt::Debug for BucketPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, bucket, prefix, properties: _, part: _ } = self;
        let mut shown = formatter.debug_struct("BucketPlace");
        shown.field("kind", kind).field("bucket", bucket).field("prefix", prefix).finish()
    }
}

impl BucketPlace {
    /// What a person must write.
    pub const EXPECTED: &'static str = "s3://BUCKET/FOLDER, az://CONTAINER/FOLDER or gs://BUCKET/FOLDER";

    /// Reads the place that a person names, such as `s3://BUCKET/FOLDER`. `properties` say how the bucket is reached: names are
    /// those of the variables that the service's own programs read, in small letters; of two with one name, the later counts.
    ///
    /// # Errors
    /// `Invalid` for another kind of place, or the name of a bucket or folder that none can have: what is wrong with it.
    pub fn read(text: &str, properties: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let kind = BucketKind::ALL.into_iter().find(|kind| text.starts_with(kind.scheme()));
        let Some(kind) = kind else {
            return Err(Error::invalid("is of an unknown kind"));
        };
        let rest = &text[kind.scheme().len()..];
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_bucket = (3..=63).contains(&bucket.len())
            && bucket.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'));
        if !is_bucket {
            return Err(Error::invalid("has an invalid name of a bucket"));
        }
        let prefix = prefix.trim_end_matches('/');
        let is_part = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'='))
        };
        if !prefix.is_empty() && !prefix.split('/').all(is_part) {
            return Err(Error::invalid(
                "has an invalid name of a folder (letters, digits, '.', '-', '_' and '=')",
            ));
        }
        let of_kind = |(name, _): &(String, String)| name.starts_with(kind.properties());
        Ok(Self {
            kind,
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            properties: properties.into_iter().filter(of_kind).collect(),
            part: PART,
        })
    }

    /// With parts of this size.
    #[must_use]
    pub fn in_parts_of(self, part: u64) -> Self {
        Self { part, ..self }
    }

    /// As people name it.
    pub fn shown(&self) -> String {
        self.shown_file("")
    }

    /// The place of a file in it, as people name it.
    pub(super) fn shown_file(&self, name: &str) -> String {
        let parts = [self.bucket.as_str(), &self.prefix, name];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("{}{}", self.kind.scheme(), parts.join("/"))
    }

    /// The value of a property.
    pub(super) fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
