//! From named values to account records, for every kind of source whose records are sets of named values: a
//! directory's entries, a query's rows, a service's resources.
//!
//! Why here: what a native identity, a flag or an entitlement is does not depend on where the values came from,
//! so it is told by one table of the definition (`[ldap.account]`, `[sql.account]` and so on) and done once.
//!
//! Invariants: every record pushed is a row or a rejection; attributes of a row are in schema order, which is the
//! definition's list, else the order that the source declares, else alphabetical, so that the order in which
//! records come makes no difference; passwords are in no row.

mod settings;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

pub use settings::{AccountSettings, FlagCondition};

use crate::dates::ReadDate;
use crate::json_values::texts;
use crate::named_columns::{Found, NamedColumns};
use crate::reader::{Batch, ReadError, ReadSummary, Rejection, hex, shown};
use crate::record::RecordBuilder;
use crate::total::{Stated, Summing};

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
    /// Why the native identity may not be what the source means, where that is known.
    pub(crate) key_fault: Option<&'static str>,
}

impl Record {
    /// The values under `name`: exactly so written, else regardless of ASCII case, as directories and databases
    /// compare names.
    pub(crate) fn values(&self, name: &str) -> &[String] {
        let exact = self.fields.iter().find(|(field, _)| field == name);
        let found = exact.or_else(|| self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)));
        found.map_or(&[], |(_, values)| values)
    }

    /// Gives names the spelling under which the engine looks them up; values under names that differ only in case are
    /// those of one name.
    fn spell(&mut self, named: &NamedColumns) {
        for (name, _) in &mut self.fields {
            if let Some(spelling) = named.spelling(name)
                && name != spelling
            {
                spelling.clone_into(name);
            }
        }
        let mut at = 1;
        while at < self.fields.len() {
            match self.fields[..at]
                .iter()
                .position(|(earlier, _)| earlier.eq_ignore_ascii_case(&self.fields[at].0))
            {
                Some(earlier) => {
                    let (_, values) = self.fields.remove(at);
                    self.fields[earlier].1.extend(values);
                }
                None => at += 1,
            }
        }
    }

    /// Takes the cells of multi-valued columns apart.
    fn split(&mut self, settings: &AccountSettings) {
        for wanted in &settings.multi_valued {
            for (_, values) in self.fields.iter_mut().filter(|(name, _)| name.eq_ignore_ascii_case(wanted)) {
                *values = values.iter().flat_map(|cell| settings.values_of(cell)).collect();
            }
        }
    }

    /// The first value that is not blank.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values(name).iter().map(String::as_str).find(|text| !text.trim().is_empty())
    }
}

/// Makes batches of the records of one read, and keeps count.
pub(crate) struct AccountSink {
    settings: Arc<AccountSettings>,
    named: Arc<NamedColumns>,
    /// Whether the source gave the names of its columns.
    is_declared: bool,
    /// Names are the same in any case, as they are to directories and SCIM services: they are given as the engine
    /// looks them up.
    pub(crate) folds_names: bool,
    /// The names to give as attributes, in order; `None` gives all, alphabetically.
    order: Option<Vec<String>>,
    rows: RecordBuilder,
    rejections: Vec<Rejection>,
    pending_bytes: usize,
    seen: BTreeSet<String>,
    /// Names whose values are in no row.
    withheld: BTreeSet<String>,
    /// The date that the records are of.
    pub(crate) date: ReadDate,
    /// What is wrong with it; the whole read then fails.
    date_fault: Option<String>,
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
    /// What the owner states with the records.
    pub(crate) stated: Option<Result<Stated, String>>,
    summing: Option<Summing>,
}

impl AccountSink {
    pub(crate) fn new(settings: AccountSettings, named: NamedColumns) -> Self {
        let kept = |name: &&String| named.keeps(name);
        let order = settings.attributes.as_ref().map(|names| names.iter().filter(kept).cloned().collect());
        let summing = named.summed().cloned().map(Summing::of);
        Self {
            settings: Arc::new(settings),
            named: Arc::new(named),
            is_declared: false,
            folds_names: false,
            order,
            rows: RecordBuilder::default(),
            rejections: Vec::new(),
            pending_bytes: 0,
            seen: BTreeSet::new(),
            withheld: BTreeSet::new(),
            date: ReadDate::None,
            date_fault: None,
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
            stated: None,
            summing,
        }
    }

    /// Says which columns the source has, before the first record, where it knows: all of them, so that one that the
    /// definition names and the source lacks is an error now.
    ///
    /// # Errors
    /// What is missing and what it was needed for.
    pub(crate) fn declare(&mut self, names: &[String]) -> Result<(), String> {
        self.named.check(&Found { names, is_schema: true, ignores_case: true })?;
        self.is_declared = true;
        if self.order.is_none() {
            self.order = Some(names.iter().filter(|name| self.named.keeps(name)).cloned().collect());
        }
        self.know(names);
        Ok(())
    }

    /// Says of some names that the source has them, though maybe in no record.
    pub(crate) fn know(&mut self, names: &[String]) {
        for name in names {
            self.see(name);
        }
    }

    fn see(&mut self, name: &str) {
        if self.seen.contains(name) || self.withheld.contains(name) {
            return;
        }
        if self.named.keeps(name) {
            self.seen.insert(name.to_owned());
            return;
        }
        self.withheld.insert(name.to_owned());
        if self.named.withholds(name) {
            self.warn(format!("{} is never kept", shown(name)));
        }
    }

    /// Notes what the reader of a report must know though nothing failed.
    pub(crate) fn warn(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    /// A record that could not be made of what the source gave; without a line its number in the read stands for it.
    pub(crate) fn reject(&mut self, line: u64, native_identity: Option<String>, reason: String) {
        let line = self.refuse(line, native_identity, reason);
        if let Some(summing) = &mut self.summing {
            summing.miss(line);
        }
    }

    /// Refuses a record; its number.
    fn refuse(&mut self, line: u64, native_identity: Option<String>, reason: String) -> u64 {
        self.read += 1;
        let line = if line == 0 { self.read } else { line };
        self.rejected += 1;
        self.rejected_without_key += u64::from(native_identity.is_none());
        self.pending_bytes += reason.len() + native_identity.as_ref().map_or(0, String::len);
        self.rejections.push(Rejection { line, native_identity, reason });
        line
    }

    /// What names the account.
    pub(crate) fn key(&self) -> &str {
        &self.settings.native_identity
    }

    /// Which of a source's columns names the account, as [`Record::values`] finds it.
    pub(crate) fn key_column(&self, names: &[String]) -> Option<usize> {
        let exact = names.iter().position(|name| name == self.key());
        exact.or_else(|| names.iter().position(|name| name.eq_ignore_ascii_case(self.key())))
    }

    /// The native identity that an object says, if it does.
    pub(crate) fn key_of_json(&self, object: Value) -> Option<String> {
        let Value::Object(members) = object else { return None };
        let fields = members.into_iter().map(|(name, value)| (name, texts(value))).collect();
        Record { fields, ..Record::default() }.text(self.key()).map(str::to_owned)
    }

    /// An account that is there, in a read of changes.
    pub(crate) fn present(&mut self, native_identity: &str) {
        self.pending_bytes += native_identity.len();
        self.present.push(native_identity.to_owned());
    }

    /// Takes the next record of the source.
    pub(crate) fn push(&mut self, mut record: Record) {
        let (settings, named) = (Arc::clone(&self.settings), Arc::clone(&self.named));
        if self.folds_names {
            record.spell(&named);
        }
        record.split(&settings);
        let refused = self.rejected;
        self.add(&record, &settings);
        if let Some(summing) = &mut self.summing {
            let line = if record.line == 0 { self.read } else { record.line };
            let values = record.values(&summing.column.name).iter();
            summing.take(line, values.map(String::as_str), self.rejected > refused);
        }
    }

    fn add(&mut self, record: &Record, settings: &AccountSettings) {
        for (name, values) in &record.fields {
            if !values.is_empty() {
                self.see(name);
            }
        }
        self.digest(record);
        if let Some(fault) = record.key_fault {
            self.refuse(record.line, None, format!("{:?} {fault}", settings.native_identity));
            return;
        }
        let Some(native_identity) = record.text(&settings.native_identity) else {
            let reason = format!("{:?} is absent: expected the native identity", settings.native_identity);
            self.refuse(record.line, None, reason);
            return;
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
                    self.refuse(record.line, native_identity, reason);
                    return;
                }
            }
        }
        self.read += 1;
        if self.date_fault.is_none() {
            let number = self.read;
            self.date_fault =
                self.date.see(|column| record.text(column), || format!("record {number}")).err();
        }
        let text = |name: &Option<String>| record.text(name.as_deref()?);
        self.rows.line(record.line);
        self.rows.native_identity(native_identity);
        let name = text(&settings.name).or_else(|| settings.name.is_none().then_some(native_identity));
        self.rows.names(name, text(&settings.display_name), text(&settings.uuid));
        self.rows.flags(flags);
        let mut add = |name: &str, values: &[String]| {
            if self.withheld.contains(name) {
                return;
            }
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
        let present = std::mem::take(&mut self.present);
        let summed = self.summing.as_mut().map(Summing::take_added).unwrap_or_default();
        Ok(Some(Batch { records, rejections, present, summed }))
    }

    /// What the read came to; `incomplete` is why it was not read to its end, where it was not.
    ///
    /// # Errors
    /// A name of the definition that no record of a whole read has; a date that is none, or not that of all records.
    pub(crate) fn summary(mut self, incomplete: Option<String>) -> Result<ReadSummary, String> {
        // A flag may be told by a column that is not kept.
        let seen = |wanted: &str| {
            self.seen.iter().chain(&self.withheld).any(|name| name.eq_ignore_ascii_case(wanted))
        };
        let schema: Vec<String> = match &self.order {
            Some(names) => names.iter().filter(|name| seen(name)).cloned().collect(),
            None => self.seen.iter().cloned().collect(),
        };
        let was_seen = self.read > 0 && !self.changes_only;
        if !self.is_declared && was_seen && incomplete.is_none() {
            let names: BTreeSet<&String> = schema.iter().chain(&self.seen).collect();
            let names: Vec<String> = names.into_iter().chain(&self.withheld).cloned().collect();
            self.named.check(&Found { names: &names, is_schema: false, ignores_case: true })?;
        }
        let missing: Vec<String> = self
            .settings
            .named()
            .into_iter()
            .filter(|(_, name)| was_seen && !seen(name) && !self.named.is_optional(name))
            .map(|(key, name)| format!("{key}: no record has {name:?}"))
            .collect();
        self.warnings.extend(missing);
        if let Some(fault) = self.date_fault {
            return Err(fault);
        }
        let as_of = self.date.end(incomplete.is_none())?;
        let is_whole = incomplete.is_none() && self.rejected == 0;
        Ok(ReadSummary {
            read: self.read,
            rejected: self.rejected,
            rejected_without_key: self.rejected_without_key,
            reported_total: self.reported_total,
            sum: None,
            stated: self.stated,
            summed: self.summing.map(Summing::end),
            complete: incomplete.is_none(),
            incomplete_reason: incomplete,
            digest_sha256: self.same_digest.unwrap_or_else(|| hex(self.hash.finalize())),
            bytes: self.bytes,
            schema,
            warnings: self.warnings,
            refused_values: Vec::new(),
            as_of,
            changes_only: self.changes_only,
            // A record that was rejected must be told of again, though it does not change.
            cursor: self.cursor.filter(|_| is_whole),
        })
    }

    /// The digest of what was pushed so far.
    pub(crate) fn digest_so_far(&self) -> String {
        hex(self.hash.clone().finalize())
    }

    /// There are no raw bytes that two reads would share, so the values stand for them, each with its length.
    fn digest(&mut self, record: &Record) {
        let mut add = |text: &str| {
            self.hash.update((text.len() as u64).to_le_bytes());
            self.hash.update(text.as_bytes());
            self.bytes += text.len() as u64;
        };
        for (name, values) in &record.fields {
            if self.withheld.contains(name) {
                continue;
            }
            add(name);
            values.iter().for_each(|value| add(value));
        }
    }
}
