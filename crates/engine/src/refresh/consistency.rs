//! Checks that the tables of a snapshot are consistent before the snapshot is published.
//!
//! Most tables are derived from others by plans that must keep every row. This module compares the written tables with
//! what they were derived from: each number is computed in two ways that share no plan. If the two differ, nothing is
//! published.
//!
//! Numbers of large tables are sums over their files (`digests::sums`): each file is read and counted when it is written.
//! A file that an incremental refresh keeps is not read again; its numbers are in the manifest. Rights of identities cannot
//! be added over files, so an incremental refresh compares them for the identities whose documents it writes.

use super::documents::{self, given_of, made_of};
use super::incremental::{Needed, Recompute};
use super::steps::{self, Step, Words};
use super::totals::{self, Files};
use super::work::{self, Work};
use super::{RefreshRequest, SourceOutcome};
use crate::declared::{ACCOUNTS, COUNTS, IDENTITIES, Table};
use crate::digests::sums;
use crate::error::{EngineError, Result};
use muster_reports::SnapshotManifest;
use muster_sources::DocumentType;
use std::collections::BTreeMap;

/// Name of these queries in errors.
const STEP: &str = "checking the refresh";

/// The written tables and their input.
pub(super) struct Written<'a> {
    pub(super) work: &'a Work,
    pub(super) request: &'a RefreshRequest,
    pub(super) recompute: &'a Recompute,
    pub(super) outcomes: &'a [SourceOutcome],
    /// The last snapshot, if rows are copied from it.
    pub(super) last: Option<&'a SnapshotManifest>,
    /// Rows of each table.
    pub(super) rows: &'a BTreeMap<String, u64>,
    /// The files of each table, with their numbers.
    pub(super) files: &'a Files,
}

impl Written<'_> {
    /// Compares all sums.
    ///
    /// # Errors
    /// `Data` with both numbers where two differ.
    pub(super) async fn check(&self) -> Result<()> {
        self.check_runs().await?;
        let linked = self.check_accounts().await?;
        self.check_identities(linked).await?;
        self.check_documents().await?;
        match self.recompute.everything {
            true => self.check_made_documents(linked).await,
            false => self.check_touched_documents(linked).await,
        }
    }

    /// Tables with a row for each source, run, refused record, or number.
    async fn check_runs(&self) -> Result<()> {
        let definitions = || self.request.sources.iter().map(|input| &input.definition);
        let sources = definitions().count() as u64;
        let authoritative = definitions().filter(|definition| definition.is_authoritative()).count() as u64;
        self.rows_are("sources", sources, "sources are registered")?;
        self.rows_are("identity_profiles", authoritative, "sources are authoritative")?;
        let runs = self.count("prev_aggregations").await? + sources;
        self.rows_are("aggregations", runs, "runs of sources were made")?;
        // Four numbers of the whole tenant, one of each source, and one more of each authoritative source.
        let numbers = self.count(&format!("prev_{COUNTS}")).await?;
        self.rows_are(COUNTS, numbers + 4 + sources + authoritative, "numbers were counted")?;
        let rejected = self.outcomes.iter().map(|outcome| outcome.run.rejected).sum();
        self.rows_are("rejected_records", rejected, "records were refused")
    }

    /// Returns the number of live accounts that belong to an identity.
    async fn check_accounts(&self) -> Result<u64> {
        let known = match self.last {
            Some(last) => rows_of(&last.rows, "accounts")? + self.number(&steps::ACCOUNTS_ADDED).await?,
            None => self.count("accounts_now").await?,
        };
        self.rows_are("accounts", known, "accounts are known")?;
        let homeless = self.sum(ACCOUNTS, sums::HOMELESS);
        agree("live accounts without a situation", homeless, "are allowed", 0)?;
        Ok(self.sum(ACCOUNTS, sums::LINKED))
    }

    async fn check_identities(&self, linked: u64) -> Result<()> {
        let known = match self.last {
            Some(last) if self.recompute.needs(Needed::SomeIdentities) => {
                rows_of(&last.rows, "identities")? + self.number(&steps::IDENTITIES_ADDED).await?
            }
            Some(last) if self.recompute.needs(Needed::IdentitiesCopied) => {
                rows_of(&last.rows, "identities")?
            }
            Some(_) | None => self.count("known").await?,
        };
        self.rows_are("identities", known, "identities are known")?;
        agree(
            "accounts counted at identities",
            self.sum(IDENTITIES, sums::ACCOUNTS_OF),
            OF_IDENTITIES,
            linked,
        )?;
        if self.recompute.needs(Needed::IdentitiesCopied) {
            return Ok(());
        }
        let errors = self.count("identity_errors_next").await?;
        self.rows_are("identity_errors", errors, "errors were found")?;
        let strangers = self.number(&steps::SUM_STRANGERS).await?;
        agree("errors of identities that are not there", strangers, "are allowed", 0)
    }

    async fn check_documents(&self) -> Result<()> {
        for document_type in DocumentType::ALL {
            let table = Table::of_documents(document_type).name;
            match document_type {
                // They are checked with the identities and rights that they are made of.
                DocumentType::Identities | DocumentType::Entitlements if !self.recompute.everything => {}
                DocumentType::Events if !self.recompute.everything => {
                    let before = self.count(&format!("prev_{table}")).await?;
                    self.rows_are(table, before + self.count(table).await?, "events were recorded")?;
                }
                DocumentType::AccessProfiles | DocumentType::AccountActivities | DocumentType::Roles => {
                    let given = self.count(&given_of(document_type)).await?;
                    self.rows_are(table, given, "documents were given")?;
                }
                DocumentType::Identities | DocumentType::Entitlements | DocumentType::Events => {
                    self.rows_are(table, self.count(table).await?, "documents were made or given")?;
                }
            }
            if document_type != DocumentType::Events && !sums::is_counted(table) && self.is_new(table) {
                let [ids] = self.numbers_of(&steps::SUM_IDS, &vec![("table", table.to_owned())]).await?;
                self.rows_are(table, ids, "ids are in it")?;
            }
        }
        Ok(())
    }

    /// Documents made from identities and accounts, without the documents of sources that replace some of them.
    async fn check_made_documents(&self, linked: u64) -> Result<()> {
        self.work.run(self.recompute, &[&steps::CHECKED_DOCUMENTS]).await?;
        let [rows, accounts, access] = self.numbers(&steps::SUM_DOCUMENTS).await?;
        agree("documents of identities", rows, "identities there are", rows_of(self.rows, "identities")?)?;
        agree("accounts in documents", accounts, OF_IDENTITIES, linked)?;
        let [of_anybody, of_identities] = self.numbers(&steps::SUM_RIGHTS).await?;
        agree("rights in documents", access, "rights are of identities", of_identities)?;
        let entitlements = self.count(&made_of(DocumentType::Entitlements)).await?;
        agree("documents of entitlements", entitlements, "rights are anybody's", of_anybody)
    }

    /// The documents of an incremental refresh. All of them have the accounts that there are; those of the touched
    /// identities have their rights too. The others were checked when they were written.
    async fn check_touched_documents(&self, linked: u64) -> Result<()> {
        let identities = rows_of(self.rows, "identities")?;
        self.rows_are("identity_documents", identities, "identities there are")?;
        let accounts = self.sum("identity_documents", sums::ACCOUNTS_OF);
        agree("accounts in documents", accounts, OF_IDENTITIES, linked)?;
        if self.is_new(ACCOUNTS) || self.is_new("identity_documents") {
            self.work.run(self.recompute, &[&steps::CHECKED_ACCOUNTS]).await?;
            let [documents, accounts, access] = self.numbers(&steps::SUM_WRITTEN_DOCUMENTS).await?;
            let touched = self.count("documents_touched").await?;
            agree("touched documents", documents, "identities are touched", touched)?;
            let of_touched = self.count("checked_accounts").await?;
            agree(
                "accounts in touched documents",
                accounts,
                "accounts belong to these identities",
                of_touched,
            )?;
            let rights = self.number(&steps::SUM_CHECKED_RIGHTS).await?;
            agree("rights in touched documents", access, "rights are of these identities", rights)?;
            let missing = self.number(&steps::SUM_RIGHTS_WITHOUT_DOCUMENT).await?;
            agree("rights of touched accounts without a document", missing, "are allowed", 0)?;
        }
        let gone = documents::sources_of_rights_gone(self.work).await?;
        let kept = self.work.rows(&steps::SUM_RIGHTS_KEPT, &[("sources", gone)]).await?;
        let kept = work::counts(STEP, &kept, 0)?.into_iter().sum();
        agree("rights of accounts that lost their document", kept, "are allowed", 0)
    }

    /// Whether the table has another version than in the last snapshot.
    fn is_new(&self, table: &str) -> bool {
        let last = self.last.and_then(|last| last.files.get(table));
        last.is_none() || last != self.files.get(table)
    }

    fn sum(&self, table: &str, number: &str) -> u64 {
        totals::sum(self.files, table, number)
    }

    /// The number of a step that has one.
    async fn number(&self, step: &Step) -> Result<u64> {
        let [number] = self.numbers(step).await?;
        Ok(number)
    }

    fn rows_are(&self, table: &str, expected: u64, of_what: &str) -> Result<()> {
        agree(&format!("rows of table {table}"), rows_of(self.rows, table)?, of_what, expected)
    }

    /// The numbers of a step with one row.
    async fn numbers<const N: usize>(&self, step: &Step) -> Result<[u64; N]> {
        self.numbers_of(step, &Words::new()).await
    }

    async fn numbers_of<const N: usize>(&self, step: &Step, words: &Words) -> Result<[u64; N]> {
        let rows = self.work.rows_of(step, words, &[]).await?;
        let mut numbers = [0; N];
        for (column, number) in numbers.iter_mut().enumerate() {
            *number = work::counts(STEP, &rows, column)?.into_iter().sum();
        }
        Ok(numbers)
    }

    async fn count(&self, relation: &str) -> Result<u64> {
        self.work.count(relation).await
    }
}

/// The rows of a table.
fn rows_of(rows: &BTreeMap<String, u64>, table: &str) -> Result<u64> {
    let found = rows.get(table).copied();
    found.ok_or_else(|| EngineError::data(STEP, format!("table {table:?} has no number of rows")))
}

/// The number that accounts of identities and accounts in documents must equal.
const OF_IDENTITIES: &str = "live accounts belong to identities";

/// A difference is a fault of this program, or of a snapshot of an older version.
fn agree(what: &str, found: u64, of_what: &str, expected: u64) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(EngineError::data(
        STEP,
        format!(
            "{what}: {found}, but {expected} {of_what}: nothing is published; a full refresh (--full) copies \
             nothing from the last snapshot"
        ),
    ))
}
