//! Sample organisations for the demo, benchmarks and tests: delimited files with their definitions, and the
//! counts that aggregation and reports must come to.
//!
//! Why a crate of its own: it writes what the readers of `muster-sources` read, and no reader needs it.
//!
//! Everything follows from the seed: the same options give the same bytes on every machine. Rows are written as
//! they are made, so that memory does not grow with the organisation.
//!
//! What is in it: employees (authoritative) and contractors (authoritative, of lower priority, Latin-1), some
//! people in both; a directory; eight applications whose sizes fall off as one over their rank. Among them are
//! accounts of nobody, accounts that match two people, services, administrators' second accounts, leavers whose
//! accounts are still enabled, records that a reader must reject, and identities with every kind of error. A file
//! of search documents has roles and access profiles over some of the sources' entitlements.

mod access_model;
mod applications;
mod authoritative;
mod definitions;
mod directory;
mod draw;
mod names;
mod people;
mod table;

use std::io;
use std::path::Path;

use serde::Serialize;

use people::Population;

/// What to generate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// People in the authoritative sources of generation 0, each of whom becomes an identity; at least 1. From
    /// 500 on every peculiarity that [`Summary`] counts occurs.
    pub identities: u64,
    /// Seed of everything.
    pub seed: u64,
    /// Accounts per identity over all sources, about; from 2 (no applications) to 10 (everybody everywhere),
    /// what lies outside counts as the nearer end.
    pub accounts_per_identity: f64,
    /// 0, or 1 for the same organisation later: some leavers, below a tenth of the file, are gone from the
    /// employees' file, and nothing else has changed.
    pub generation: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { identities: 3_000, seed: 1, accounts_per_identity: 5.0, generation: 0 }
    }
}

/// What the files hold, by construction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// People in the authoritative files of this generation, each of whom becomes one identity. Those of
    /// generation 0 less [`removed`](Self::removed).
    pub identities: u64,
    /// Of these, whom their authoritative source calls terminated.
    pub terminated: u64,
    /// Of these, whose directory account is enabled.
    pub terminated_enabled: u64,
    /// People of generation 0 who are missing from the employees' file of this one. Where generation 0 was
    /// aggregated before, their identities have lost every authoritative account.
    pub removed: u64,
    /// Of these, whose identity is protected.
    pub removed_protected: u64,
    /// People who have an account in both authoritative sources.
    pub in_both: u64,
    /// Identities without a last name.
    pub without_last_name: u64,
    /// Identities without a mail address.
    pub without_email: u64,
    /// Pairs of identities that have the same uid.
    pub uid_pairs: u64,
    /// Identities whose manager is a uid that nobody has.
    pub manager_unresolved: u64,
    /// Identities whose job title's transform fails.
    pub transform_failed: u64,
    /// The sources of accounts, authoritative ones first.
    pub sources: Vec<SourceSummary>,
    /// The source of search documents.
    pub documents: DocumentsSummary,
}

/// What the file of search documents holds, by construction; a reader rejects none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DocumentsSummary {
    /// Name of the source.
    pub name: String,
    /// File name of its definition.
    pub definition: String,
    /// Access profiles.
    pub access_profiles: u64,
    /// Roles.
    pub roles: u64,
}

/// What one source's file holds, by construction.
///
/// `accounts` = `linked` + `of_removed` + `uncorrelated` + `system` + `disputed` + `without_uid`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceSummary {
    /// Name of the source.
    pub name: String,
    /// File name of its definition.
    pub definition: String,
    /// Records in the file, rejected ones included; more than accounts where several make one account.
    pub rows: u64,
    /// Records that a reader must reject.
    pub rejected: u64,
    /// Accounts.
    pub accounts: u64,
    /// Accounts that belong to an identity with an authoritative account.
    pub linked: u64,
    /// Accounts of people who are gone in this generation: of an orphaned identity where generation 0 was
    /// aggregated before, otherwise of nobody.
    pub of_removed: u64,
    /// Accounts that match nobody, and are not a system's own.
    pub uncorrelated: u64,
    /// Accounts that match nobody, and are a system's own.
    pub system: u64,
    /// Accounts that match two identities.
    pub disputed: u64,
    /// Accounts of an authoritative source that have no uid, and so become no identity; not in
    /// [`Summary::identities`].
    pub without_uid: u64,
    /// Disabled accounts.
    pub disabled: u64,
    /// Locked accounts.
    pub locked: u64,
    /// Privileged accounts.
    pub privileged: u64,
}

/// What becomes of an account.
#[derive(Clone, Copy)]
enum Fate {
    Linked,
    OfRemoved,
    Uncorrelated,
    System,
    Disputed,
}

impl SourceSummary {
    fn new(name: &str, definition: &str) -> Self {
        Self { name: name.to_owned(), definition: definition.to_owned(), ..Self::default() }
    }

    fn account(&mut self, fate: Fate) {
        self.accounts += 1;
        match fate {
            Fate::Linked => self.linked += 1,
            Fate::OfRemoved => self.of_removed += 1,
            Fate::Uncorrelated => self.uncorrelated += 1,
            Fate::System => self.system += 1,
            Fate::Disputed => self.disputed += 1,
        }
    }
}

/// Writes the organisation's files into `dir`, which must exist; older ones of the same names are replaced.
///
/// # Errors
/// What the file system answered; `InvalidInput` for no identities or a generation that there is not.
pub fn generate(dir: &Path, options: Options) -> io::Result<Summary> {
    if options.identities == 0 || options.generation > 1 {
        let reason = "expected at least one identity, and generation 0 or 1";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let population = Population::new(options.seed, options.identities, options.generation == 1);
    let mut summary = Summary {
        identities: 0,
        terminated: 0,
        terminated_enabled: 0,
        removed: 0,
        removed_protected: 0,
        in_both: 0,
        without_last_name: 0,
        without_email: 0,
        uid_pairs: 0,
        manager_unresolved: 0,
        transform_failed: 0,
        sources: Vec::new(),
        documents: access_model::write(dir, population)?,
    };
    authoritative::write_employees(dir, population, &mut summary)?;
    authoritative::write_contractors(dir, population, &mut summary)?;
    directory::write(dir, population, &mut summary)?;
    applications::write(dir, population, options.accounts_per_identity - 2.0, &mut summary)?;
    Ok(summary)
}
