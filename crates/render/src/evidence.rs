//! Evidence packages: a result with everything that shows its origin, signed; and how to check a package.
//!
//! A package is a BagIt bag (RFC 8493) as a zip archive. Below its one folder:
//!
//! | path | what |
//! |---|---|
//! | `bagit.txt`, `bag-info.txt` | what kind of folder this is; task, tenant, date, bytes and files of `data/` |
//! | `data/` | the result's files, and the texts named in this module |
//! | `manifest-sha256.txt` | the SHA-256 of each file in `data/` |
//! | `public-key.pem` | the key to check the signature with, if its fingerprint is the service's |
//! | `tagmanifest-sha256.txt` | the SHA-256 of each file outside `data/`, except itself and the two below |
//! | `signature.ed25519` | the Ed25519 signature of `tagmanifest-sha256.txt`, 64 bytes |
//! | `tagmanifest-sha256.txt.tsr` | an RFC 3161 time-stamp response for `tagmanifest-sha256.txt`, where there is one |
//!
//! The tag manifest has the digest of the manifest, which has those of the files, so one signature covers them all.
//!
//! Why here: it is about files only. Keys, dates and the answer of a time-stamping authority come in as
//! parameters; nothing here asks a clock, a source of randomness or the network.

mod audit;
mod bag;
mod cover;
mod der;
mod finding;
mod instructions;
mod key;
mod manifest;
mod measure;
mod time_stamp;
mod verify;

pub use audit::audit_line;
pub use bag::{BagInfo, EvidenceWriter, SealedEvidence, TimeStampDue};
pub use finding::{CheckOutcome, Finding};
pub use instructions::instructions;
pub use key::{HeldKey, KeyError, PublicKey, SigningKey};
pub use time_stamp::{TimeStampError, TimeStampResponse, time_stamp_request};
pub use verify::{Verification, verify_bag, verify_file};

/// The result's cover; every package has one.
pub const COVER: &str = "cover.json";
/// The effective query text.
pub const QUERY: &str = "query.txt";
/// The arguments as they were checked.
pub const ARGUMENTS: &str = "arguments.json";
/// The manifest of the snapshot that was read.
pub const SNAPSHOT: &str = "snapshot.json";
/// The manifests of the snapshots with which it was compared, the first made first, of a report over a period.
pub const EARLIER_SNAPSHOTS: &str = "earlier-snapshots.json";
/// The run records of the sources it rests on.
pub const SOURCES: &str = "sources.json";
/// The task's audit events, one JSON object a line.
pub const AUDIT_EVENTS: &str = "audit-events.ndjson";
/// How the sources were defined, without secrets; of a snapshot that is kept.
pub const SOURCE_DEFINITIONS: &str = "source-definitions.json";
/// The rules by which accounts were linked with identities; of a snapshot that is kept.
pub const CORRELATION_RULES: &str = "correlation-rules.json";
/// The records of the sources that were refused, one JSON object a line; of a snapshot that is kept.
pub const REFUSED_RECORDS: &str = "refused-records.ndjson";
/// The queries by which the rows were counted a second time.
pub const SECOND_COUNT: &str = "second-count.json";
/// What could not be packed, since the snapshot has expired.
pub const NOT_KEPT: &str = "not-kept.txt";
/// How to check the package with other programs; written by [`EvidenceWriter::seal`].
pub const INSTRUCTIONS: &str = "VERIFY.md";

const DATA: &str = "data/";
const DECLARATION_NAME: &str = "bagit.txt";
const DECLARATION: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
const INFO: &str = "bag-info.txt";
const MANIFEST: &str = "manifest-sha256.txt";
const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
const PUBLIC_KEY: &str = "public-key.pem";
const SIGNATURE: &str = "signature.ed25519";
const TIME_STAMP: &str = "tagmanifest-sha256.txt.tsr";
