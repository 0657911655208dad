//! From named values to account records, for every kind of source whose records are sets of named values: a
//! directory's entries, a query's rows, a service's resources.
//!
//! Why here: what a native identity, a flag or an entitlement is does not depend on where the values came from,
//! so it is told by one table of the definition (`[ldap.account]`, `[sql.account]` and so on) and done once.
//!
//! Invariants: every record pushed is a row or a rejection; attributes of a row are in schema order, which is the
//! definition's list, else the order that the source declares, else alphabetical, so that the order in which
//! records come makes no difference.

mod settings;

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest, Sha256};

pub use settings::{AccountSettings, FlagCondition};

use crate::reader::{Batch, ReadError, ReadSummary, Rejection, hex};
use crate::record::RecordBuilder;

/// Records, rejected ones included, in a batch at most.
const BATCH_RECORDS: usize = 4096;
/// A batch ends with the record that brings its text to this many bytes.
const BATCH_BYTES: usize = 8 << 20;

/// A record as its source gave it, before the definition says what it means.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Physical line, counted from 1; 0 for sources without lines.
    pub(crate) line: u64,
    /// Values by name; a name stands here once, and one without values is absent.
    pub(crate) fields: Vec<(String, Vec<String>)>,
    /// Disabled, locked, system, privileged, where the protocol itself says so; the definition's conditions win.
    pub(crate) flags: [bool; 4],
}

impl Record {
    /// The values under `name`: exactly so written, else regardless of ASCII case, as directories and databases
    /// compare names.
    pub(crate) fn values(&self, name: &str) -> &[String] {
        let exact = self.fields.iter().find(|(field, _)| field == name);
        let found = exact.or_else(|| self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)));
        found.map_or(&[], |(_, values)| values)
    }

    /// The first value that is not blank.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values(name).iter().map(String::as_str).find(|text| !text.trim().is_empty())
    }
}

/// Makes batches of the records of one read, and keeps count.
pub(crate) struct AccountSink {
    settings: Arc<AccountSettings>,
    /// The names to give as attributes, in order; `None` gives all, alphabetically.
    order: Option<Vec<String>>,
    rows: RecordBuilder,
    rejections: Vec<Rejection>,
    pending_bytes: usize,
    seen: BTreeSet<String>,
    read: u64,
    rejected: u64,
    rejected_without_key: u64,
    bytes: u64,
    hash: Sha256,
    warnings: Vec<String>,
    present: Vec<String>,
    /// The digest of an earlier read, where this one found that it would give the same.
    pub(crate) same_digest: Option<String>,
    /// Whether only what changed is given.
    pub(crate) changes_only: bool,
    /// What the next read can go on from, if this one is complete and nothing is rejected.
    pub(crate) cursor: Option<String>,
    /// How many records the source says it holds.
    pub(crate) reported_total: Option<u64>,
}

impl AccountSink {
    pub(crate) fn new(settings: AccountSettings) -> Self {
        let order = settings.attributes.clone();
        Self {
            settings: Arc::new(settings),
            order,
            rows: RecordBuilder::default(),
            rejections: Vec::new(),
            pending_bytes: 0,
            seen: BTreeSet::new(),
            read: 0,
            rejected: 0,
            rejected_without_key: 0,
            bytes: 0,
            hash: Sha256::new(),
            warnings: Vec::new(),
            present: Vec::new(),
            same_digest: None,
            changes_only: false,
            cursor: None,
            reported_total: None,
        }
    }

    /// Says which names the source has, before the first record, where it knows: a name that the definition needs
    /// and the source lacks is then an error, as it is for a delimited file.
    ///
    /// # Errors
    /// What is missing and what it was needed for.
    pub(crate) fn declare(&mut self, names: &[String]) -> Result<(), String> {
        let has = |wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
        let needed = |name: &str, what: &str| {
            if has(name) { Ok(()) } else { Err(format!("expected a column {name:?}, which {what}")) }
        };
        needed(&self.settings.native_identity, "holds the native identity")?;
        for (key, condition) in self.settings.flags() {
            let Some(condition) = condition else { continue };
            needed(&condition.attribute, &format!("tells {key} accounts"))?;
        }
        if self.order.is_none() {
            self.order = Some(names.to_vec());
        }
        for name in names {
            if !self.seen.contains(name) {
                self.seen.insert(name.clone());
            }
        }
        Ok(())
    }

    /// Notes what the reader of a report must know though nothing failed.
    pub(crate) fn warn(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    /// A record that could not be made of what the source gave.
    pub(crate) fn reject(&mut self, line: u64, native_identity: Option<String>, reason: String) {
        self.read += 1;
        self.rejected += 1;
        self.rejected_without_key += u64::from(native_identity.is_none());
        self.pending_bytes += reason.len() + native_identity.as_ref().map_or(0, String::len);
        self.rejections.push(Rejection { line, native_identity, reason });
    }

    /// An account that is there, in a read of changes.
    pub(crate) fn present(&mut self, native_identity: &str) {
        self.pending_bytes += native_identity.len();
        self.present.push(native_identity.to_owned());
    }

    /// Takes the next record of the source.
    pub(crate) fn push(&mut self, record: Record) {
        self.digest(&record);
        let settings = Arc::clone(&self.settings);
        let Some(native_identity) = record.text(&settings.native_identity) else {
            let reason = format!("{:?} is absent: expected the native identity", settings.native_identity);
            return self.reject(record.line, None, reason);
        };
        let mut flags = record.flags;
        for (flag, (key, condition)) in flags.iter_mut().zip(settings.flags()) {
            let Some(condition) = condition else { continue };
            match condition.holds(record.values(&condition.attribute)) {
                Some(holds) => *flag = holds,
                None => {
                    let reason = format!(
                        "{:?}, which tells {key} accounts, is not readable: expected true, false, yes, no, 1, 0 or \
                         blank",
                        condition.attribute
                    );
                    let native_identity = Some(native_identity.to_owned());
                    return self.reject(record.line, native_identity, reason);
                }
            }
        }
        self.read += 1;
        let text = |name: &Option<String>| record.text(name.as_deref()?);
        self.rows.line(record.line);
        self.rows.native_identity(native_identity);
        let name = text(&settings.name).or_else(|| settings.name.is_none().then_some(native_identity));
        self.rows.names(name, text(&settings.display_name), text(&settings.uuid));
        self.rows.flags(flags);
        let mut add = |name: &str, values: &[String]| {
            let entitlement = settings.entitlements.iter().any(|marked| marked.eq_ignore_ascii_case(name));
            let present = values.iter().map(String::as_str).filter(|value| !value.is_empty());
            self.pending_bytes += name.len() + values.iter().map(String::len).sum::<usize>();
            self.rows.attribute(name, present, entitlement);
        };
        match &self.order {
            Some(names) => names.iter().for_each(|name| add(name, record.values(name))),
            None => {
                let mut fields: Vec<_> = record.fields.iter().collect();
                fields.sort_unstable();
                fields.into_iter().for_each(|(name, values)| add(name, values));
            }
        }
        self.rows.end_record();
        for (name, values) in &record.fields {
            if !values.is_empty() && !self.seen.contains(name) {
                self.seen.insert(name.clone());
            }
        }
    }

    /// Whether a batch should be taken now.
    pub(crate) fn is_full(&self) -> bool {
        self.pending() >= BATCH_RECORDS || self.pending_bytes >= BATCH_BYTES
    }

    fn pending(&self) -> usize {
        self.rows.len() + self.rejections.len() + self.present.len()
    }

    /// What has been gathered since the last batch; `None` when that is nothing.
    pub(crate) fn take(&mut self) -> Result<Option<Batch>, ReadError> {
        if self.pending() == 0 {
            return Ok(None);
        }
        self.pending_bytes = 0;
        let records = std::mem::take(&mut self.rows).finish()?;
        let rejections = std::mem::take(&mut self.rejections);
        Ok(Some(Batch { records, rejections, present: std::mem::take(&mut self.present) }))
    }

    /// What the read came to; `incomplete` is why it was not read to its end, where it was not.
    pub(crate) fn summary(mut self, incomplete: Option<String>) -> ReadSummary {
        let seen = |wanted: &str| self.seen.iter().any(|name| name.eq_ignore_ascii_case(wanted));
        let missing: Vec<String> = self
            .settings
            .named()
            .into_iter()
            .filter(|(_, name)| self.read > 0 && !self.changes_only && !seen(name))
            .map(|(key, name)| format!("{key}: no record has {name:?}"))
            .collect();
        let schema = match &self.order {
            Some(names) => names.iter().filter(|name| seen(name)).cloned().collect(),
            None => self.seen.iter().cloned().collect(),
        };
        self.warnings.extend(missing);
        let is_whole = incomplete.is_none() && self.rejected == 0;
        ReadSummary {
            read: self.read,
            rejected: self.rejected,
            rejected_without_key: self.rejected_without_key,
            reported_total: self.reported_total,
            complete: incomplete.is_none(),
            incomplete_reason: incomplete,
            digest_sha256: self.same_digest.unwrap_or_else(|| hex(&self.hash.finalize())),
            bytes: self.bytes,
            schema,
            warnings: self.warnings,
            changes_only: self.changes_only,
            // A record that was rejected must be told of again, though it does not change.
            cursor: self.cursor.filter(|_| is_whole),
        }
    }

    /// The digest of what was pushed so far.
    pub(crate) fn digest_so_far(&self) -> String {
        hex(&self.hash.clone().finalize())
    }

    /// There are no raw bytes that two reads would share, so the values stand for them, each with its length.
    fn digest(&mut self, record: &Record) {
        let mut add = |text: &str| {
            self.hash.update((text.len() as u64).to_le_bytes());
            self.hash.update(text.as_bytes());
            self.bytes += text.len() as u64;
        };
        for (name, values) in &record.fields {
            add(name);
            values.iter().for_each(|value| add(value));
        }
    }
}
