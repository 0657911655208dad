//! Checks that the tables of a snapshot are consistent before the snapshot is published.
//!
//! Most tables are derived from others by plans that must keep every row. This module reads the written tables and
//! counts their rows: each number is computed in two ways that share no plan. If the two differ, nothing is published.
//! An incremental refresh is checked in the same way, over all rows of its tables.

use super::documents::{given_of, made_of};
use super::incremental::Recompute;
use super::steps::{self, Step, Words};
use super::work::{self, Work};
use super::{RefreshRequest, SourceOutcome};
use crate::declared::{COUNTS, Table};
use crate::error::{EngineError, Result};
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
    /// Rows of each table.
    pub(super) rows: &'a BTreeMap<String, u64>,
    /// Whether accounts or documents have another version than in the last snapshot.
    pub(super) changed: bool,
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
        self.check_made_documents(linked).await
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
        let kept = self.count("accounts_now").await? + self.count("carried_accounts").await?;
        self.rows_are("accounts", kept, "accounts are known")?;
        self.ids_are_unique("accounts").await?;
        let [homeless, linked] = self.numbers(&steps::SUM_ACCOUNTS).await?;
        agree("live accounts without a situation", homeless, "are allowed", 0)?;
        Ok(linked)
    }

    async fn check_identities(&self, linked: u64) -> Result<()> {
        self.rows_are("identities", self.count("known").await?, "identities are known")?;
        self.ids_are_unique("identities").await?;
        let [counted] = self.numbers(&steps::SUM_ACCOUNT_COUNTS).await?;
        agree("accounts counted at identities", counted, OF_IDENTITIES, linked)?;
        let errors = self.count("identity_errors_next").await?;
        self.rows_are("identity_errors", errors, "errors were found")?;
        let [strangers] = self.numbers(&steps::SUM_STRANGERS).await?;
        agree("errors of identities that are not there", strangers, "are allowed", 0)
    }

    async fn check_documents(&self) -> Result<()> {
        for document_type in DocumentType::ALL {
            let table = Table::of_documents(document_type).name;
            match document_type {
                // `check_made_documents` counts all of them.
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
            if document_type != DocumentType::Events {
                self.ids_are_unique(table).await?;
            }
        }
        Ok(())
    }

    /// Documents made from identities and accounts, without the documents of sources that replace some of them.
    async fn check_made_documents(&self, linked: u64) -> Result<()> {
        let checked = [&steps::CHECKED_DOCUMENTS_ALL, &steps::CHECKED_DOCUMENTS];
        self.work.run(self.recompute, &checked).await?;
        let [rows, accounts, access] = self.numbers(&steps::SUM_DOCUMENTS).await?;
        agree("documents of identities", rows, "identities there are", self.rows_of("identities")?)?;
        agree("accounts in documents", accounts, OF_IDENTITIES, linked)?;
        if !self.changed {
            return Ok(());
        }
        let [of_anybody, of_identities] = self.numbers(&steps::SUM_RIGHTS).await?;
        agree("rights in documents", access, "rights are of identities", of_identities)?;
        let entitlements = match self.recompute.everything {
            true => made_of(DocumentType::Entitlements),
            false => format!("written_{}", Table::of_documents(DocumentType::Entitlements).name),
        };
        let entitlements = self.count(&entitlements).await?;
        agree("documents of entitlements", entitlements, "rights are anybody's", of_anybody)
    }

    async fn ids_are_unique(&self, table: &str) -> Result<()> {
        let [ids] = self.numbers_of(&steps::SUM_IDS, &vec![("table", table.to_owned())]).await?;
        self.rows_are(table, ids, "ids are in it")
    }

    fn rows_are(&self, table: &str, expected: u64, of_what: &str) -> Result<()> {
        agree(&format!("rows of table {table}"), self.rows_of(table)?, of_what, expected)
    }

    fn rows_of(&self, table: &str) -> Result<u64> {
        self.rows
            .get(table)
            .copied()
            .ok_or_else(|| EngineError::data(STEP, format!("table {table:?} was not written")))
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
