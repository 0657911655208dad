//! What a snapshot's tables must agree on before anybody sees it.
//!
//! Most tables are derived from others, by plans that have to keep every row. Here the written tables are read again and
//! counted: each number is found in two places that share no plan, and where the two differ nothing is published. A
//! refresh that takes over most of its tables is held to the same sums over all of their rows.

use super::documents::{GIVEN, made_of};
use super::extent::Extent;
use super::work::{self, Work};
use super::{RefreshRequest, SourceOutcome};
use crate::error::{EngineError, Result};
use crate::tables;
use muster_sources::DocumentType;
use std::collections::BTreeMap;

/// How many rights somebody has, and how many all identities have together: each right of each once. Rights of an account
/// without an owner are of nobody.
const RIGHTS: &str = "
SELECT count(*), coalesce(sum(owners), 0) FROM (
  SELECT source_id, attribute, value, count(identity_id) AS owners FROM (
    SELECT DISTINCT identity_id, source_id, e['name'] AS attribute, e['value'] AS value FROM (
      SELECT a.identity_id, a.source_id, unnest(attribute_entries(attributes_kept(a.attributes, s.entitlements))) AS e
      FROM written_accounts a JOIN document_sources s ON s.source_id = a.source_id
      WHERE a.dead_since IS NULL))
  GROUP BY source_id, attribute, value)";

/// Live accounts that belong to an identity.
const LINKED: &str =
    "SELECT count(*) FROM written_accounts WHERE dead_since IS NULL AND identity_id IS NOT NULL";

/// The tables as they were written, and what they were made of.
pub(super) struct Written<'a> {
    pub(super) work: &'a Work,
    pub(super) request: &'a RefreshRequest,
    pub(super) extent: &'a Extent,
    pub(super) outcomes: &'a [SourceOutcome],
    /// Rows of each table.
    pub(super) rows: &'a BTreeMap<String, u64>,
    /// Whether accounts or documents are in another version than in the last snapshot.
    pub(super) changed: bool,
}

impl Written<'_> {
    /// Compares all sums.
    ///
    /// # Errors
    /// `Data` with both numbers where two differ.
    pub(super) async fn check(&self) -> Result<()> {
        self.check_runs().await?;
        self.check_accounts().await?;
        let linked = self.count(LINKED).await?;
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
        let runs = self.count("SELECT count(*) FROM prev_aggregations").await? + sources;
        self.rows_are("aggregations", runs, "runs of sources were made")?;
        // Four of the whole tenant, one for each source, and one more for each authoritative one.
        let numbers = self.count(&format!("SELECT count(*) FROM prev_{}", tables::COUNTS)).await?;
        self.rows_are(tables::COUNTS, numbers + 4 + sources + authoritative, "numbers were counted")?;
        let rejected = self.outcomes.iter().map(|outcome| outcome.run.rejected).sum();
        self.rows_are("rejected_records", rejected, "records were refused")
    }

    async fn check_accounts(&self) -> Result<()> {
        let kept =
            "SELECT count(*) FROM (SELECT id FROM accounts_now UNION ALL SELECT id FROM carried_accounts)";
        self.rows_are("accounts", self.count(kept).await?, "accounts are known")?;
        self.ids_are_unique("accounts").await?;
        let homeless = "SELECT count(*) FROM written_accounts WHERE dead_since IS NULL AND situation IS NULL";
        agree("live accounts without a situation", self.count(homeless).await?, "are allowed", 0)
    }

    async fn check_identities(&self, linked: u64) -> Result<()> {
        self.rows_are("identities", self.count("SELECT count(*) FROM known").await?, "identities are known")?;
        self.ids_are_unique("identities").await?;
        let counted = self.count("SELECT coalesce(sum(account_count), 0) FROM written_identities").await?;
        agree("accounts counted at identities", counted, OF_IDENTITIES, linked)?;
        let errors = self.count("SELECT count(*) FROM identity_errors_next").await?;
        self.rows_are("identity_errors", errors, "errors were found")?;
        let strangers = "SELECT count(*) FROM written_identity_errors e \
             LEFT ANTI JOIN (SELECT id FROM written_identities) i ON i.id = e.identity_id WHERE e.identity_id IS NOT NULL";
        agree("errors of identities that are not there", self.count(strangers).await?, "are allowed", 0)
    }

    async fn check_documents(&self) -> Result<()> {
        for document_type in DocumentType::ALL {
            let table = tables::of_documents(document_type);
            let united = self.count(&format!("SELECT count(*) FROM {table}")).await?;
            match document_type {
                DocumentType::Identities if !self.extent.everything => {
                    let identities = self.count("SELECT count(*) FROM written_identities").await?;
                    self.rows_are(table, identities, "identities there are")?;
                }
                // Checked below, where everything is counted once.
                DocumentType::Entitlements if !self.extent.everything => {}
                DocumentType::Events if !self.extent.everything => {
                    let before = self.count(&format!("SELECT count(*) FROM prev_{table}")).await?;
                    self.rows_are(table, before + united, "events were recorded")?;
                }
                DocumentType::AccessProfiles | DocumentType::AccountActivities | DocumentType::Roles => {
                    let given = format!("SELECT count(*) FROM {GIVEN}{}", document_type.index_name());
                    self.rows_are(table, self.count(&given).await?, "documents were given")?;
                }
                DocumentType::Identities | DocumentType::Entitlements | DocumentType::Events => {
                    self.rows_are(table, united, "documents were made or given")?;
                }
            }
            if document_type != DocumentType::Events {
                self.ids_are_unique(table).await?;
            }
        }
        Ok(())
    }

    /// What is made of identities and accounts, without the documents of sources that stand for some of it.
    async fn check_made_documents(&self, linked: u64) -> Result<()> {
        let of = |document_type| match self.extent.everything {
            true => made_of(document_type),
            false => format!("written_{}", tables::of_documents(document_type)),
        };
        let documents = of(DocumentType::Identities);
        let rows = self.count(&format!("SELECT count(*) FROM {documents}")).await?;
        let identities = self.count("SELECT count(*) FROM written_identities").await?;
        agree("documents of identities", rows, "identities there are", identities)?;
        let sum = |column: &str| format!("SELECT coalesce(sum(\"{column}\"), 0) FROM {documents}");
        let accounts = self.count(&sum("accountCount")).await?;
        agree("accounts in documents", accounts, OF_IDENTITIES, linked)?;
        if !self.changed {
            return Ok(());
        }
        let rights = self.work.rows("rights", RIGHTS).await?;
        let of_anybody = work::counts("rights", &rights, 0)?.into_iter().sum();
        let of_identities = work::counts("rights", &rights, 1)?.into_iter().sum();
        let access = self.count(&sum("accessCount")).await?;
        agree("rights in documents", access, "rights are of identities", of_identities)?;
        let entitlements =
            self.count(&format!("SELECT count(*) FROM {}", of(DocumentType::Entitlements))).await?;
        agree("documents of entitlements", entitlements, "rights are anybody's", of_anybody)
    }

    async fn ids_are_unique(&self, table: &str) -> Result<()> {
        let ids = self.count(&format!("SELECT count(DISTINCT id) FROM written_{table}")).await?;
        self.rows_are(table, ids, "ids are in it")
    }

    fn rows_are(&self, table: &str, expected: u64, of_what: &str) -> Result<()> {
        let rows = self.rows.get(table).copied().ok_or_else(|| {
            EngineError::data("checking the refresh", format!("table {table:?} was not written"))
        })?;
        agree(&format!("rows of table {table}"), rows, of_what, expected)
    }

    async fn count(&self, sql: &str) -> Result<u64> {
        self.work.count("checking the refresh", sql).await
    }
}

/// What accounts at identities and in documents are held against.
const OF_IDENTITIES: &str = "live accounts belong to identities";

/// A difference is a fault of ours, or of a snapshot that an older version left.
fn agree(what: &str, found: u64, of_what: &str, expected: u64) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(EngineError::data(
        "checking the refresh",
        format!(
            "{what}: {found}, but {expected} {of_what}: nothing is published; a refresh of everything (--full) takes \
             nothing over from the last snapshot"
        ),
    ))
}
