//! How the installation is, for the routes of administration.

use crate::config::Settings;
use crate::data_dir::{DataDir, KeyInToken, SecretFile, named_key, previous_key_until};
use crate::failure::Failure;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_reports::error::{Error, Result};
use muster_reports::inspection::{DiskRoom, KeyAge, ServiceFacts, SetLimit};
use muster_reports::ports::InstallationFacts;
use muster_runs::free_bytes;
use std::path::{Path, PathBuf};

/// The folders, keys and settings of a data directory.
pub struct Facts {
    folders: Vec<(&'static str, PathBuf)>,
    keys: PathBuf,
    settings: Settings,
}

/// The files of keys: purpose, name, and the name of the key before.
const KEYS: [(&str, &str, Option<&str>); 5] = [
    ("access tokens", "tokens.key", Some("tokens.previous.key")),
    ("client secrets", "secrets.key", None),
    ("evidence packages", "evidence.key", None),
    ("seal of the audit trail", "audit.key", None),
    ("webhooks", "webhooks.key", Some("webhooks.previous.key")),
];

/// What is said of a key that is in a token.
const IN_TOKEN: &str = "it is in a token, which does not tell its age";

impl Facts {
    /// Those of this data directory.
    pub fn of(data: &DataDir) -> crate::failure::Result<Self> {
        let mut folders = vec![("data", data.dir().to_owned()), ("work", data.work_dir()?)];
        if data.shared_dir() != data.dir() {
            folders.push(("shared", data.shared_dir().to_owned()));
        }
        Ok(Self { folders, keys: data.keys_dir()?, settings: data.settings.clone() })
    }

    fn limits(&self) -> Vec<SetLimit> {
        let Settings { rate_limit, worker, auth, console, server, .. } = &self.settings;
        let limit = |setting, value, unit| SetLimit { setting, value, unit };
        vec![
            limit("rate_limit.requests", rate_limit.requests.into(), "requests"),
            limit("rate_limit.tenant_requests", rate_limit.tenant_requests.into(), "requests"),
            limit("rate_limit.window_s", rate_limit.window_s, "seconds"),
            limit("worker.count", worker.count as u64, "reports at a time"),
            limit("worker.deadline_s", worker.deadline_s, "seconds"),
            limit("auth.token_lifetime_s", auth.token_lifetime_s, "seconds"),
            limit("console.idle_s", console.idle_s, "seconds"),
            limit("console.longest_s", console.longest_s, "seconds"),
            limit("server.connections_max", server.connections_max as u64, "connections"),
        ]
    }
}

/// When a file was written; `None` where there is none.
fn written(path: &Path) -> Result<Option<DateTime<Utc>>> {
    match path.metadata().and_then(|file| file.modified()) {
        Ok(time) => Ok(Some(time.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::internal("the age of a key cannot be read", error)),
    }
}

/// A key, and what can be said of it without reading it.
pub struct FoundKey {
    /// What it is for.
    pub purpose: &'static str,
    /// Its file as it is known: its place, or the credential that a setting names.
    pub file: String,
    /// When the file was written; `None` where there is none.
    pub since: Option<DateTime<Utc>>,
    /// Until when the key before it counts.
    pub previous_until: Option<DateTime<Utc>>,
    /// Why nothing can be said of it, if so.
    pub trouble: Option<String>,
}

/// All keys of an installation whose folder of keys is `dir`. None is made.
///
/// # Errors
/// When the age of a file, or the file of a key before, cannot be read.
pub fn keys(settings: &Settings, dir: &Path) -> Result<Vec<FoundKey>> {
    KEYS.into_iter().map(|named| key(settings, dir, named)).collect()
}

fn key(
    settings: &Settings,
    dir: &Path,
    (purpose, name, previous): (&'static str, &str, Option<&str>),
) -> Result<FoundKey> {
    let (file, place) = match named_key(settings, name) {
        None => (dir.join(name).display().to_string(), Ok(dir.join(name))),
        Some((setting, named)) => {
            let found = match KeyInToken::named(setting, named) {
                Ok(None) => SecretFile::find(setting, named, &settings.data.dir).map(|file| file.path),
                Ok(Some(_)) => Err(Failure::new(IN_TOKEN)),
                Err(failure) => Err(failure),
            };
            (named.display().to_string(), found.map_err(|failure| failure.to_string()))
        }
    };
    let (since, trouble) = match place {
        Ok(place) => (written(&place)?, None),
        Err(trouble) => (None, Some(trouble)),
    };
    let before = previous.map(|name| previous_key_until(&dir.join(name))).transpose();
    let before = before.map_err(|error| Error::internal("the key before cannot be read", error))?;
    Ok(FoundKey { purpose, file, since, previous_until: before.flatten(), trouble })
}

#[async_trait]
impl InstallationFacts for Facts {
    async fn facts(&self) -> Result<ServiceFacts> {
        let disk = |(folder, path): &(&'static str, PathBuf)| {
            let free_bytes = free_bytes(path)?;
            Ok(DiskRoom { folder, free_bytes })
        };
        let age = |key: FoundKey| {
            let FoundKey { purpose, since, previous_until, .. } = key;
            since.map(|since| KeyAge { purpose, since, previous_until })
        };
        let issuers = self.settings.auth.issuers.iter();
        Ok(ServiceFacts {
            version: env!("CARGO_PKG_VERSION"),
            database: if self.settings.store.url.is_some() { "PostgreSQL" } else { "SQLite" },
            disks: self.folders.iter().map(disk).collect::<Result<_>>()?,
            keys: keys(&self.settings, &self.keys)?.into_iter().filter_map(age).collect(),
            limits: self.limits(),
            issuers: issuers.map(|issuer| (issuer.name.clone(), issuer.sign_in_client.is_some())).collect(),
        })
    }
}
