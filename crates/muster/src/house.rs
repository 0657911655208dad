//! The data directory: everything that the service keeps, opened as one.
//!
//! ```text
//! muster.toml      settings, if there are any
//! muster.db        tasks, credentials, sources, snapshots, audit trail
//! keys/            keys of client secrets and of access tokens
//! tables/          identity data, one folder for each table
//! results/         files of reports
//! work/            what does not outlive a run
//! service.lock     held by the one process that serves
//! refresh.lock     held by the one process that refreshes
//! ```
//! Commands may open it beside a running service: what they change is one transaction. What only one
//! process may do takes a lock, which the system frees with the process however it ends.

use crate::clock::SystemClock;
use crate::config::Settings;
use crate::engine_wiring::{self, EnginePorts, Parts};
use crate::failure::{Context, Failure, Result};
use crate::ids::SystemIds;
use crate::keys;
use muster_http::{SecretKey, TokenIssuer};
use muster_reports::ids::TenantId;
use muster_reports::{Catalogue, ReportDefinition};
use muster_store::{ResultFiles, SqliteStore};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The opened data directory.
pub struct House {
    /// Settings in force.
    pub settings: Settings,
    /// The tenant of this service.
    pub tenant: TenantId,
    /// Tasks, credentials, sources, snapshots, audit trail.
    pub store: Arc<SqliteStore>,
    dir: PathBuf,
}

/// A lock of the data directory; freed when dropped.
#[must_use]
pub struct Lock(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

impl House {
    /// Opens a data directory that is there.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub async fn open(settings: &Settings) -> Result<Self> {
        let dir = &settings.data.dir;
        if !dir.join("muster.db").is_file() {
            return Err(Failure::new(format!(
                "{} is no data directory: `muster source add` makes one, --data DIR names another",
                dir.display()
            )));
        }
        Self::open_or_make(settings).await
    }

    /// Opens the data directory, making it if it is not there.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub async fn open_or_make(settings: &Settings) -> Result<Self> {
        let dir = &settings.data.dir;
        keys::private_dir(dir)?;
        let dir = dir.canonicalize().context(|| format!("folder {} cannot be found", dir.display()))?;
        let store_settings = muster_store::Settings {
            attempts_max: settings.worker.attempts_max,
            ..muster_store::Settings::default()
        };
        let store = SqliteStore::open_with(&dir.join("muster.db"), store_settings).await?;
        Ok(Self {
            settings: settings.clone(),
            tenant: TenantId::new(&settings.tenant.id),
            store: Arc::new(store),
            dir,
        })
    }

    /// Where everything is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Folder of the result files.
    fn results_dir(&self) -> PathBuf {
        self.dir.join("results")
    }

    /// The result files.
    pub fn files(&self) -> Result<ResultFiles> {
        Ok(ResultFiles::open(self.results_dir())?)
    }

    /// The key under which client secrets are kept.
    pub fn secret_key(&self) -> Result<SecretKey> {
        Ok(SecretKey::new(self.key("secrets.key")?))
    }

    /// What makes and checks access tokens.
    pub fn token_issuer(&self) -> Result<TokenIssuer> {
        Ok(TokenIssuer::new(&self.key("tokens.key")?)?)
    }

    fn key(&self, name: &str) -> Result<keys::Key> {
        let dir = self.dir.join("keys");
        keys::private_dir(&dir)?;
        keys::key(&dir, name)
    }

    /// Takes the lock of serving.
    pub fn lock_service(&self) -> Result<Lock> {
        self.lock("service.lock", "another process serves this data directory")
    }

    /// Takes the lock of refreshing.
    pub fn lock_refresh(&self) -> Result<Lock> {
        self.lock("refresh.lock", "another process refreshes this data directory")
    }

    /// Removes what runs of a process that was killed have left behind, unless a refresh uses the folder.
    /// To be called under the lock of serving and before the engine is opened.
    pub fn clear_work(&self) -> Result {
        let Ok(_lock) = self.lock_refresh() else { return Ok(()) };
        let work = self.dir.join("work");
        match std::fs::remove_dir_all(&work) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context(|| format!("folder {} cannot be cleared", work.display()))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn lock(&self, name: &str, taken: &str) -> Result<Lock> {
        let path = self.dir.join(name);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .context(|| format!("{} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(Failure::new(format!("{taken}: {}", self.dir.display()))),
            Err(TryLockError::Error(error)) => {
                Err(error).context(|| format!("{} cannot be locked", path.display()))
            }
        }
    }

    /// The reports there are.
    pub fn catalogue(&self) -> Result<Catalogue> {
        catalogue(&self.settings)
    }

    /// Opens the engine.
    pub fn engine(&self, catalogue: Catalogue) -> Result<EnginePorts> {
        Ok(engine_wiring::open(Parts {
            tables_dir: self.dir.join("tables"),
            work_dir: self.dir.join("work"),
            results_dir: self.results_dir(),
            engine: self.settings.engine.clone(),
            csv: self.settings.csv.clone(),
            catalogue,
            snapshots: self.store.clone(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        })?)
    }
}

/// The reports there are: the built-in ones and those of the folder of definitions.
///
/// # Errors
/// With the file of a definition that cannot be read or used.
pub fn catalogue(settings: &Settings) -> Result<Catalogue> {
    let mut catalogue = Catalogue::built_in();
    if let Some(folder) = &settings.reports.definitions {
        add_definitions(&mut catalogue, &settings.data.dir.join(folder))?;
    }
    Ok(catalogue)
}

/// Adds every `*.toml` of `folder`, in the order of their names.
fn add_definitions(catalogue: &mut Catalogue, folder: &Path) -> Result {
    let unreadable = || format!("reports.definitions: folder {} cannot be read", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).context(unreadable)? {
        let path = entry.context(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    for path in files {
        let place = path.display().to_string();
        let text = std::fs::read_to_string(&path).context(|| format!("{place} cannot be read"))?;
        catalogue.add(ReportDefinition::from_toml(&text, &place)?)?;
    }
    Ok(())
}
