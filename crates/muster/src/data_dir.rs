//! The data directory: everything that the service keeps, opened as one.
//!
//! ```text
//! muster.toml      settings, if there are any
//! installation     the mark that the database has too
//! muster.db        tasks, credentials, sources, snapshots, audit trail; unless they are in PostgreSQL
//! keys/            keys of client secrets, access tokens, webhooks, the audit trail's seals and evidence packages
//! tables/          identity data, one folder for each table; trash/ for files that no snapshot reads
//! results/         files of reports; trash/ for those that no record names. With `results.location`, new ones are in a bucket
//! work/            what does not outlive a run
//! restored         the backup that the data directory was restored from, if it was
//! restoring        there until a restore has ended; no command opens the data directory before
//! service.lock     held by the one process that serves
//! refresh.lock     held by the one process that refreshes
//! ```
//! With `store.url` several processes, also on several machines, share one PostgreSQL database. Then
//! `installation`, `keys/`, `tables/`, `results/`, `restored` and `refresh.lock` are in the folder `data.shared`, which all of
//! them see, and each process has a data directory of its own with `work/` and `service.lock`.
//!
//! Commands may open it while a service runs: what they change is one transaction. What only one
//! process may do takes a lock, which the system frees with the process however it ends: on the file, and on a folder,
//! because a file that somebody removes is locked by nobody.

mod folder;
mod installation;
mod keys;
mod pkcs11;
mod secret_file;
mod token_keys;

use crate::bucket;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::failure::{Context, Failure, Result};
use crate::ids::SystemIds;
use crate::person;
use chrono::{DateTime, TimeDelta, Utc};
use muster_http::{SecretKey, TokenIssuer};
use muster_notify::{WebhookKey, WebhookKeyRing, WebhookKeys};
use muster_render::evidence::SigningKey;
use muster_reports::Catalogue;
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::caller::{Caller, DataScope};
use muster_reports::error::Error;
use muster_reports::ids::{ClientId, TaskId, TenantId};
use muster_reports::ports::{AuditTrail, Clock, Ids};
use muster_reports::retention::CataloguedSnapshot;
use muster_reports::trace::Trace;
use muster_runs::backup::DATABASE;
use muster_runs::{Events, KeptDefinitions, Lock, ResultFiles, clear_work, find_snapshot, lock};
use muster_store::{Deciding, Place, SealKey, Store};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use token_keys::TokenKeyFiles;

pub use folder::private_dir as make_private;
pub use folder::secret as secret_text;
pub use installation::MARK;
pub use pkcs11::KeyInToken;
pub use secret_file::SecretFile;

/// The folder of the keys.
pub const KEYS: &str = "keys";
/// The file of settings.
pub const SETTINGS: &str = "muster.toml";
/// The file that names the backup which the data directory was restored from.
pub const RESTORED: &str = "restored";
/// The file that is there until a restore has ended.
pub const RESTORING: &str = "restoring";

/// The files of the key from which the secrets of webhooks are computed, and of the one before it.
const WEBHOOK_KEYS: keys::Exchanged = ("webhooks.key", "webhooks.previous.key");
/// The file of the key under which client secrets are kept.
const SECRETS_KEY: &str = "secrets.key";
/// The file of the key that seals the audit trail.
const SEAL_KEY: &str = "audit.key";
/// The file of the key that signs evidence packages.
const EVIDENCE_KEY: &str = "evidence.key";

/// The opened data directory.
pub struct DataDir {
    /// Settings in force.
    pub settings: Settings,
    /// The tenant of this service.
    pub tenant: TenantId,
    /// Tasks, credentials, sources, snapshots, audit trail.
    pub store: Arc<Store>,
    dir: PathBuf,
    /// What all processes on one database share; the data directory itself where nobody shares.
    shared: PathBuf,
    /// The result files, once they are opened.
    files: OnceLock<ResultFiles>,
}

/// The folders of a data directory that has nothing yet.
#[derive(Debug)]
pub struct EmptyDirs {
    /// Its own folder.
    pub dir: PathBuf,
    /// The one that all processes on one database share; the same where nobody shares.
    pub shared: PathBuf,
}

impl EmptyDirs {
    /// The places of a mark that every process finds which uses one of the folders.
    pub fn marks(&self, name: &str) -> Vec<PathBuf> {
        let mut places = vec![self.dir.join(name)];
        if self.shared != self.dir {
            places.push(self.shared.join(name));
        }
        places
    }
}

/// How a data directory is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opening {
    /// Make it where it is not there.
    pub make: bool,
    /// Join a database and a folder that do not belong together.
    pub adopt: bool,
    /// Open one whose restore has not ended.
    pub restoring: bool,
}

impl DataDir {
    /// Opens a data directory that is there.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub async fn open(settings: &Settings) -> Result<Self> {
        Box::pin(Self::open_as(settings, Opening::default())).await
    }

    /// Opens a data directory; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn open_if_there(settings: &Settings) -> Result<Option<Self>> {
        refuse_half_restored(settings)?;
        match look_for(settings, false) {
            Ok(()) => Self::open(settings).await.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Opens the data directory, making it if it is not there.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub async fn open_or_make(settings: &Settings) -> Result<Self> {
        Box::pin(Self::open_as(settings, Opening { make: true, ..Opening::default() })).await
    }

    /// Opens the data directory as `opening` says.
    ///
    /// # Errors
    /// When it is not there or cannot be made or read; when its database and its folder do not belong together.
    pub async fn open_as(settings: &Settings, opening: Opening) -> Result<Self> {
        if !opening.restoring {
            refuse_half_restored(settings)?;
        }
        if !opening.make {
            look_for(settings, opening.adopt)?;
        }
        let dir = folder::own(&settings.data.dir)?;
        let shared = settings.data.shared.as_deref().map_or_else(|| Ok(dir.clone()), folder::own)?;
        let store_settings = muster_store::Settings {
            attempts_max: settings.worker.attempts_max,
            connections: settings.store.connections,
            deciding: Deciding::DatabaseOr(Arc::new(SystemClock)),
            seal_key: Some(SealKey::new(chosen_key(settings, &shared, SEAL_KEY)?)),
            ..muster_store::Settings::default()
        };
        let store = Store::open(&place(settings, &dir)?, store_settings).await?;
        installation::pair(&store, &shared, opening.adopt).await?;
        let data = Self {
            settings: settings.clone(),
            tenant: TenantId::new(&settings.tenant.id),
            store: Arc::new(store),
            dir,
            shared,
            files: OnceLock::new(),
        };
        if opening.adopt {
            let details = format!("database joined with {}", data.shared.display());
            data.store
                .record(&data.event(AuditOperation::ConfigurationChanged, "installation", details))
                .await?;
        }
        Ok(data)
    }

    /// Refuses settings that name a key which is not there, before anything is made.
    ///
    /// # Errors
    /// With the setting, when its key is missing, damaged, or others may read it.
    pub fn check_named_keys(settings: &Settings) -> Result {
        for name in [SECRETS_KEY, SEAL_KEY] {
            if named_key(settings, name).is_some() {
                chosen_key(settings, &settings.data.dir, name)?;
            }
        }
        Ok(())
    }

    /// Makes the folders of a data directory that has nothing yet.
    ///
    /// # Errors
    /// When one has something, or cannot be made.
    pub fn own_empty(settings: &Settings) -> Result<EmptyDirs> {
        let empty = |folder: &Path| {
            let dir = folder::own(folder)?;
            let mut entries =
                std::fs::read_dir(&dir).context(|| format!("folder {} cannot be listed", dir.display()))?;
            match entries.next() {
                None => Ok(dir),
                Some(_) => Err(Failure::new(format!(
                    "{} has files: expected a new or an empty folder for the restored data directory",
                    dir.display()
                ))),
            }
        };
        let dir = empty(&settings.data.dir)?;
        let shared = settings.data.shared.as_deref().map_or_else(|| Ok(dir.clone()), empty)?;
        Ok(EmptyDirs { dir, shared })
    }

    /// The backup that it was restored from, if it was, and the file that says so.
    pub fn restored_from(&self) -> Option<(String, PathBuf)> {
        let place = self.shared.join(RESTORED);
        let name = std::fs::read_to_string(&place).ok()?;
        Some((name.trim_end().to_owned(), place))
    }

    /// What a command of this program does now, for the audit trail: `about` names the thing.
    pub fn event(&self, operation: AuditOperation, about: &str, details: String) -> AuditEvent {
        event(&self.tenant, operation, about, details)
    }

    /// What makes such events.
    pub fn events(&self) -> Arc<Events> {
        let tenant = self.tenant.clone();
        Arc::new(move |operation, about: &str, details| event(&tenant, operation, about, details))
    }

    /// The snapshot that a person means: an id, a date, a time, or `newest`.
    ///
    /// # Errors
    /// When the text is none of these, or there is no such snapshot.
    pub async fn snapshot(&self, text: &str) -> Result<CataloguedSnapshot> {
        Ok(find_snapshot(&*self.store, &self.tenant, text).await?)
    }

    /// Where everything is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Folder of the result files.
    pub fn results_dir(&self) -> PathBuf {
        self.shared.join("results")
    }

    /// The folder that all processes on one database share.
    pub fn shared_dir(&self) -> &Path {
        &self.shared
    }

    /// Folder of the identity tables.
    pub fn tables_dir(&self) -> PathBuf {
        self.shared.join("tables")
    }

    /// Folder of what does not outlive a run. It may be a link, or a file system of its own.
    pub fn work_dir(&self) -> Result<PathBuf> {
        folder::own_inside(&self.dir.join("work"))
    }

    /// Whether other processes may write result files: those of their live attempts are not to be swept.
    pub fn shares_results(&self) -> bool {
        self.settings.store.url.is_some()
    }

    /// The result files: in their folder, or in the bucket of the settings.
    pub fn files(&self) -> Result<ResultFiles> {
        if let Some(files) = self.files.get() {
            return Ok(files.clone());
        }
        let files = match bucket::of_results(&self.settings, &self.dir)? {
            None => ResultFiles::open(self.results_dir())?,
            Some(place) => {
                let mark = folder::secret(&self.shared.join(MARK))?
                    .ok_or_else(|| Failure::new("the mark of the folder has gone away"))?;
                let mark = mark.trim_end().to_owned();
                ResultFiles::in_bucket(self.results_dir(), self.work_dir()?, &place, mark)?
            }
        };
        // One set of connections for all of the process.
        Ok(self.files.get_or_init(|| files).clone())
    }

    /// Folder of the service's keys.
    pub fn keys_dir(&self) -> Result<PathBuf> {
        keys_dir(&self.shared)
    }

    /// The key under which client secrets are kept.
    pub fn secret_key(&self) -> Result<SecretKey> {
        Ok(SecretKey::new(chosen_key(&self.settings, &self.shared, SECRETS_KEY)?))
    }

    /// What makes and checks access tokens.
    pub fn token_issuer(&self) -> Result<TokenIssuer> {
        let dir = keys_dir(&self.shared)?;
        Ok(TokenIssuer::with_ring(Arc::new(TokenKeyFiles::open(&dir)?))?)
    }

    /// Exchanges the key of access tokens; `overlap` is how long the one in use goes on checking.
    pub fn rotate_token_keys(&self, now: DateTime<Utc>, overlap: Option<TimeDelta>) -> Result {
        token_keys::rotate(&keys_dir(&self.shared)?, now, overlap)
    }

    /// The key that signs evidence packages.
    pub fn evidence_key(&self) -> Result<SigningKey> {
        if let Some((setting, named)) = named_key(&self.settings, EVIDENCE_KEY)
            && let Some(place) = KeyInToken::named(setting, named)?
        {
            return place.open(setting, &self.dir);
        }
        Ok(SigningKey::from_secret(&chosen_key(&self.settings, &self.shared, EVIDENCE_KEY)?))
    }

    /// What gives the keys of webhooks, as their files are at that moment; the first is made if there is none.
    pub fn webhook_keys(&self) -> Result<Arc<WebhookKeyRing>> {
        let dir = keys_dir(&self.shared)?;
        keys::key(&dir, WEBHOOK_KEYS.0)?;
        let read = move || -> Result<WebhookKeys> {
            let previous = keys::previous(&dir.join(WEBHOOK_KEYS.1))?;
            Ok(WebhookKeys {
                current: WebhookKey(keys::key(&dir, WEBHOOK_KEYS.0)?),
                previous: previous.map(|(key, until)| (WebhookKey(key), until)),
            })
        };
        Ok(Arc::new(move || {
            read().map_err(|error| Error::internal("the keys of webhooks cannot be read", error))
        }))
    }

    /// Exchanges the key of webhooks; `overlap` is how long the one in use goes on signing.
    pub fn rotate_webhook_keys(&self, now: DateTime<Utc>, overlap: Option<TimeDelta>) -> Result {
        keys::exchange(&keys_dir(&self.shared)?, WEBHOOK_KEYS, now, overlap)
    }

    /// Takes the lock of serving.
    pub fn lock_service(&self) -> Result<Lock> {
        Ok(lock(&self.dir, "service.lock", &self.dir, "another process serves this data directory")?)
    }

    /// Folder of the identity tables; made if it is not there.
    pub fn own_tables_dir(&self) -> Result<PathBuf> {
        folder::own_inside(&self.tables_dir())
    }

    /// Removes what runs of a process that was killed have left behind, unless a refresh uses the folder.
    /// To be called under the lock of serving and before the engine is opened.
    pub fn clear_work(&self) -> Result {
        Ok(clear_work(&self.shared, &self.own_tables_dir()?, &self.work_dir()?)?)
    }

    /// The reports there are, with those that the database keeps now.
    pub async fn catalogue(&self) -> Result<Catalogue> {
        let catalogue = catalogue(&self.settings)?;
        self.kept_definitions(catalogue.clone()).reload().await?;
        Ok(catalogue)
    }

    /// What keeps these reports as the database has them.
    pub fn kept_definitions(&self, catalogue: Catalogue) -> KeptDefinitions {
        KeptDefinitions::new(self.store.clone(), self.tenant.clone(), catalogue)
    }
}

fn event(tenant: &TenantId, operation: AuditOperation, about: &str, details: String) -> AuditEvent {
    // Whoever may run commands on the data directory needs no credential: the system says who it is.
    let caller = Caller {
        tenant: tenant.clone(),
        client: ClientId::new("command-line"),
        user: person::caller(),
        scopes: Vec::new(),
        data_scope: DataScope::Everything,
        trace: Some(Trace::begin(&SystemIds.fresh())),
    };
    AuditEvent {
        id: SystemIds.fresh(),
        at: SystemClock.now(),
        operation,
        caller,
        task: TaskId::new(""),
        report: about.into(),
        details,
    }
}

/// The key of this name: the one that a setting names, or the one of the folder, which is made if it is not there.
fn chosen_key(settings: &Settings, shared: &Path, name: &str) -> Result<keys::Key> {
    let Some((setting, named)) = named_key(settings, name) else {
        return keys::key(&keys_dir(shared)?, name);
    };
    if KeyInToken::named(setting, named)?.is_some() {
        return Err(Failure::usage(format!(
            "{setting} names a key in a token: expected a file, because the service computes with this key; only \
             keys.evidence may be in a token"
        )));
    }
    let file = SecretFile::find(setting, named, &settings.data.dir)?;
    keys::parse(&file.text(setting)?).ok_or_else(|| {
        Failure::new(format!("{setting}: the key {} is damaged: expected 64 hex digits", file.path.display()))
    })
}

/// The setting that names the key of this name, and the file, if it does.
pub fn named_key<'a>(settings: &'a Settings, name: &str) -> Option<(&'static str, &'a Path)> {
    let keys = &settings.keys;
    let (setting, named) = match name {
        SECRETS_KEY => ("keys.secrets", &keys.secrets),
        SEAL_KEY => ("keys.audit", &keys.audit),
        EVIDENCE_KEY => ("keys.evidence", &keys.evidence),
        _ => return None,
    };
    named.as_deref().map(|named| (setting, named))
}

/// Where the database is: the one that the settings name, with its password, or the file in `dir`.
///
/// # Errors
/// When the file of the password cannot be read.
pub fn place(settings: &Settings, dir: &Path) -> Result<Place> {
    const KEY: &str = "store.password_file";
    let Some(url) = &settings.store.url else { return Ok(Place::Sqlite(dir.join(DATABASE))) };
    let Some(named) = &settings.store.password_file else { return Ok(Place::Postgres(url.clone())) };
    let password = SecretFile::find(KEY, named, dir)?.text(KEY)?;
    Ok(Place::Postgres(url.with_password(&password)))
}

fn keys_dir(shared: &Path) -> Result<PathBuf> {
    folder::own_inside(&shared.join(KEYS))
}

/// Where the database of a data directory that is there is; nothing is opened.
///
/// # Errors
/// When there is no data directory, or the password of the database cannot be read.
pub fn place_if_there(settings: &Settings) -> Result<Place> {
    refuse_half_restored(settings)?;
    look_for(settings, false)?;
    place(settings, &settings.data.dir)
}

/// The folder of keys of a data directory that is there; nothing is made.
///
/// # Errors
/// When there is no data directory.
pub fn keys_folder(settings: &Settings) -> Result<PathBuf> {
    refuse_half_restored(settings)?;
    look_for(settings, false)?;
    Ok(settings.data.shared.as_ref().unwrap_or(&settings.data.dir).join(KEYS))
}

/// Until when the key before another one checks, which its file says; `None` where there is no file.
///
/// # Errors
/// When the file is damaged, or others may read it.
pub fn previous_key_until(path: &Path) -> Result<Option<DateTime<Utc>>> {
    Ok(keys::previous(path)?.map(|(_, until)| until))
}

/// The key that seals the audit trail, in a folder of keys; none is made.
///
/// # Errors
/// When it is missing, damaged, or others may read it.
pub fn seal_key_in(keys: &Path) -> Result<SealKey> {
    let path = keys.join(SEAL_KEY);
    let found = keys::read(&path)?;
    found.map(SealKey::new).ok_or_else(|| Failure::new(format!("there is no key {}", path.display())))
}

/// Refuses a data directory that a restore has not completed.
fn refuse_half_restored(settings: &Settings) -> Result {
    let own = &settings.data.dir;
    let dirs = [settings.data.shared.as_ref().unwrap_or(own), own];
    match dirs.into_iter().find(|dir| dir.join(RESTORING).exists()) {
        None => Ok(()),
        Some(dir) => Err(Failure::new(format!(
            "the restore of {} has not ended: remove what it made, and repeat `muster restore`",
            dir.display()
        ))),
    }
}

/// Refuses a data directory that is not there, before anything is made.
fn look_for(settings: &Settings, adopt: bool) -> Result {
    let dir = &settings.data.dir;
    let shared = settings.data.shared.as_ref().unwrap_or(dir);
    let is_there = match settings.store.url {
        None => dir.join(DATABASE).is_file(),
        Some(_) => shared.is_dir(),
    };
    if is_there || (adopt && shared.is_dir()) {
        return Ok(());
    }
    if shared.join(installation::MARK).exists() {
        return Err(Failure::new(format!(
            "{} is a data directory without its database muster.db: expected it from a backup; `muster serve --adopt` \
             goes on with an empty one",
            dir.display()
        )));
    }
    Err(Failure::new(format!(
        "{} is not a data directory: `muster source add` and `muster serve --init` make one, --data DIR names another",
        dir.display()
    )))
}

/// The reports there are: the built-in ones and those of the folder of definitions.
///
/// # Errors
/// With the file of a definition that cannot be read or used.
pub fn catalogue(settings: &Settings) -> Result<Catalogue> {
    let folder = settings.reports.definitions.as_ref().map(|folder| settings.data.dir.join(folder));
    Ok(muster_runs::catalogue(folder.as_deref())?)
}
