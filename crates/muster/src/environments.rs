//! Services that are kept under names, and which service a command calls.
//!
//! The first of these that applies decides, and it decides alone: a client's secret is never sent to an address that
//! another place names.
//!
//! 1. `--env NAME`: the service of that name.
//! 2. A client id and a secret, from flags or variables `MUSTER_*`; without a base URL, of this machine's service.
//! 3. A base URL alone: the service that is kept with it.
//! 4. The published SDKs' variables `SAIL_*`.
//! 5. The service in use (`muster env use`).
//! 6. The published SDKs' files.

use crate::cli::Service;
use crate::failure::{Context, ExitStatus, Failure, Result};
use crate::secret_command::secret_of;
use muster_client::{Credentials, PublishedSettings, SettingsOrigin};
use muster_reports::nearest::hint;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where a service answers that runs here with its default settings.
pub const BASE_URL: &str = "http://127.0.0.1:8080";
/// Mode of the file: only its owner reads it.
const MODE: u32 = 0o600;

/// A service and a client.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The service's base URL.
    pub base_url: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret; empty if a command prints it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub client_secret: String,
    /// A command line that prints the secret, so that a keyring can keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_command: Option<String>,
    /// Certificates to trust in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// The services that are kept.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environments {
    /// The name of the one in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
    /// All, by name.
    #[serde(default)]
    pub environments: BTreeMap<String, Environment>,
}

/// What a command calls.
pub struct Reached {
    /// The service and the client.
    pub environment: Environment,
    /// What decided, for messages.
    pub origin: String,
}

/// The file of the services that are kept, below the user's folder of settings.
pub fn file(variable: impl Fn(&str) -> Option<String>) -> Result<PathBuf> {
    let folder =
        |name: &str| variable(name).filter(|folder| Path::new(folder).is_absolute()).map(PathBuf::from);
    let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    let config =
        config.ok_or_else(|| Failure::new("there is no home folder: expected HOME or XDG_CONFIG_HOME"))?;
    Ok(config.join("muster/environments.toml"))
}

impl Environments {
    /// Reads the file; without one, nothing is kept.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or others may read it.
    pub fn load(path: &Path) -> Result<Self> {
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
            Err(error) => return Err(error).context(|| format!("{} cannot be read", path.display())),
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Failure::new(format!(
                "others may read {}, which has secrets (mode {mode:o}): expected mode 600; exchange the clients that it \
                 has, then `chmod 600` the file",
                path.display()
            )));
        }
        let text = std::fs::read_to_string(path).context(|| format!("{} cannot be read", path.display()))?;
        toml::from_str(&text).map_err(|error: toml::de::Error| {
            // Its whole text shows the line, which may have a secret.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Failure::new(format!("{} is damaged: line {line}: {}", path.display(), error.message()))
        })
    }

    /// Replaces the file: whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result {
        let text = toml::to_string(self).context(|| "the services cannot be written as TOML".into())?;
        let folder = path.parent().unwrap_or(Path::new("."));
        crate::data_dir::make_private(folder)?;
        let draft = path.with_extension("toml.part");
        let wrong = || format!("{} cannot be written", draft.display());
        // One that a killed command left may have any mode.
        let _ = std::fs::remove_file(&draft);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(&draft)
            .context(wrong)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).context(wrong)?;
        std::fs::rename(&draft, path).context(|| format!("{} cannot be written", path.display()))
    }

    /// The service of a name.
    ///
    /// # Errors
    /// When nothing is kept under it.
    pub fn named(&self, name: &str) -> Result<&Environment> {
        self.environments.get(name).ok_or_else(|| {
            let near = hint(name, self.environments.keys().map(String::as_str));
            Failure::not_found(format!(
                "no service is kept as {name:?}{near}; `muster env list` lists them, `muster login {name}` keeps one"
            ))
        })
    }

    /// The service and the client that a command calls.
    ///
    /// # Errors
    /// When nothing names a service, or what names it is incomplete.
    pub fn reach(
        &self,
        given: &Service,
        published: impl FnOnce() -> Result<Option<PublishedSettings>>,
    ) -> Result<Reached> {
        if let Some(name) = &given.environment {
            return Ok(self.kept(name, self.named(name)?.clone(), given));
        }
        match (&given.client_id, &given.client_secret) {
            (Some(id), Some(secret)) => {
                let environment = Environment {
                    base_url: given.base_url.clone().unwrap_or_else(|| BASE_URL.into()),
                    client_id: id.clone(),
                    client_secret: secret.clone(),
                    secret_command: None,
                    ca_file: given.ca_file.clone(),
                };
                return Ok(Reached { environment, origin: format!("the client {id}") });
            }
            (Some(_), None) | (None, Some(_)) => {
                return Err(Failure::usage(
                    "a client is its id and its secret: expected both --client-id and --client-secret, or both \
                     MUSTER_CLIENT_ID and MUSTER_CLIENT_SECRET",
                ));
            }
            (None, None) => {}
        }
        if let Some(url) = &given.base_url {
            let same = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
            let found = self.environments.iter().find(|(_, kept)| same(&kept.base_url) == same(url));
            let (name, kept) = found.ok_or_else(|| {
                Failure::usage(format!(
                    "no client is kept for {url}: expected --client-id and --client-secret with it, or `muster login \
                     --base-url {url}` before"
                ))
            })?;
            return Ok(self.kept(name, kept.clone(), given));
        }
        let published = published();
        let by_variables = match &published {
            Ok(Some(found)) => found.origin == SettingsOrigin::Variables,
            Ok(None) | Err(_) => false,
        };
        if let (Some(name), false) = (&self.active, by_variables) {
            return Ok(self.kept(name, self.named(name)?.clone(), given));
        }
        let found = published?.ok_or_else(|| {
            Failure::usage(
                "no service is known: expected --client-id and --client-secret (or MUSTER_CLIENT_ID and \
                 MUSTER_CLIENT_SECRET), or a service that `muster login` keeps",
            )
        })?;
        let Credentials::Client { id, secret } = found.configuration.credentials else {
            return Err(Failure::usage("the published settings have no client: expected its id and secret"));
        };
        let environment = Environment {
            base_url: found.configuration.base_url,
            client_id: id,
            client_secret: secret,
            secret_command: None,
            ca_file: given.ca_file.clone(),
        };
        Ok(Reached { environment, origin: found.origin.to_string() })
    }

    fn kept(&self, name: &str, kept: Environment, given: &Service) -> Reached {
        let ca_file = given.ca_file.clone().or(kept.ca_file);
        Reached { environment: Environment { ca_file, ..kept }, origin: format!("the service {name:?}") }
    }
}

/// The service that this process calls, from its flags, variables and files.
///
/// # Errors
/// As [`Environments::reach`].
pub fn reached(given: &Service) -> Result<Reached> {
    let variable = |name: &str| std::env::var(name).ok();
    // A client that is given needs no home folder.
    let kept = match (&given.client_id, &given.environment) {
        (Some(_), None) => Environments::default(),
        (_, _) => Environments::load(&file(variable)?)?,
    };
    let reached = kept.reach(given, || {
        PublishedSettings::find().map_err(|error| Failure::of(ExitStatus::Usage, error.to_string()))
    })?;
    Ok(Reached { environment: reached.environment.with_secret()?, ..reached })
}

impl Environment {
    /// With the secret, if a command prints it.
    ///
    /// # Errors
    /// When the command fails, or nothing says where the secret is.
    pub fn with_secret(self) -> Result<Self> {
        match &self.secret_command {
            Some(command) => Ok(Self { client_secret: secret_of(command)?, ..self }),
            None if self.client_secret.is_empty() => Err(Failure::new(format!(
                "the client {} is kept without a secret: `muster login` keeps it with one",
                self.client_id
            ))),
            None => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use muster_client::Configuration;

    fn environment(url: &str, id: &str) -> Environment {
        Environment {
            base_url: url.into(),
            client_id: id.into(),
            client_secret: "hush".into(),
            secret_command: None,
            ca_file: None,
        }
    }

    fn kept() -> Environments {
        Environments {
            active: Some("prod".into()),
            environments: [
                ("prod".to_owned(), environment("https://prod", "p")),
                ("test".to_owned(), environment("https://test/", "t")),
            ]
            .into(),
        }
    }

    fn found(origin: SettingsOrigin) -> PublishedSettings {
        let configuration = Configuration::new("https://sail", Credentials::client("s", "hush"));
        PublishedSettings { configuration, origin }
    }

    fn reach(kept: &Environments, given: &Service, published: Option<PublishedSettings>) -> Result<String> {
        let reached = kept.reach(given, || Ok(published))?.environment;
        Ok(format!("{} {}", reached.base_url, reached.client_id))
    }

    #[test]
    fn the_first_place_that_applies_decides_alone() {
        let some = |text: &str| Some(text.to_owned());
        let nothing = Service::default();
        let named = Service { environment: some("test"), base_url: some("https://evil"), ..nothing.clone() };
        let client = Service { client_id: some("c"), client_secret: some("x"), ..nothing.clone() };
        let both = Service { base_url: some("https://b"), ..client.clone() };
        let address = Service { base_url: some("https://TEST"), ..nothing.clone() };
        let variables = || Some(found(SettingsOrigin::Variables));
        let in_file = || Some(found(SettingsOrigin::File { path: "config.json".into(), environment: None }));
        let all = kept();
        assert_eq!(reach(&all, &named, variables()).unwrap(), "https://test/ t");
        assert_eq!(reach(&all, &client, variables()).unwrap(), "http://127.0.0.1:8080 c");
        assert_eq!(reach(&all, &both, variables()).unwrap(), "https://b c");
        assert_eq!(reach(&all, &address, variables()).unwrap(), "https://test/ t");
        assert_eq!(reach(&all, &nothing, variables()).unwrap(), "https://sail s");
        assert_eq!(reach(&all, &nothing, in_file()).unwrap(), "https://prod p");
        assert_eq!(reach(&Environments::default(), &nothing, in_file()).unwrap(), "https://sail s");
    }

    #[test]
    fn what_is_missing_is_told_with_the_next_step() {
        let some = |text: &str| Some(text.to_owned());
        let half = Service { client_id: some("c"), ..Service::default() };
        let unknown = Service { environment: some("tets"), ..Service::default() };
        let foreign = Service { base_url: some("https://evil"), ..Service::default() };
        for (given, status, expected) in [
            (&half, ExitStatus::Usage, "expected both --client-id and --client-secret"),
            (&unknown, ExitStatus::NotFound, "no service is kept as \"tets\": the nearest name is \"test\""),
            (&foreign, ExitStatus::Usage, "no client is kept for https://evil"),
        ] {
            let failure = reach(&kept(), given, None).unwrap_err();
            assert!(failure.to_string().contains(expected), "{failure}");
            assert_eq!(failure.status(), status);
        }
        let failure = reach(&Environments::default(), &Service::default(), None).unwrap_err();
        assert!(failure.to_string().contains("`muster login`"), "{failure}");
    }

    #[test]
    fn the_file_is_its_owners_and_a_wider_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap().to_owned();
        let path = file(|name| (name == "HOME").then(|| home.clone())).unwrap();
        assert!(path.ends_with(".config/muster/environments.toml"));
        assert!(Environments::load(&path).unwrap().environments.is_empty());
        kept().save(&path).unwrap();
        kept().save(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let again = Environments::load(&path).unwrap();
        assert_eq!((again.active.as_deref(), again.environments.len()), (Some("prod"), 2));
        assert!(again.named("prod").unwrap() == &environment("https://prod", "p"));
        // With a command, the file has no secret.
        let by_command = Environment {
            client_secret: String::new(),
            secret_command: Some("printf hush".into()),
            ..environment("https://prod", "p")
        };
        let all = Environments { environments: [("prod".to_owned(), by_command)].into(), ..kept() };
        all.save(&path).unwrap();
        assert!(!std::fs::read_to_string(&path).unwrap().contains("client_secret"));
        let read = Environments::load(&path).unwrap().named("prod").unwrap().clone();
        assert_eq!(read.with_secret().unwrap().client_secret, "hush");
        let none = Environment { client_secret: String::new(), ..environment("https://prod", "p") };
        let refused = none.with_secret().map(drop).unwrap_err().to_string();
        assert!(refused.contains("is kept without a secret"), "{refused}");

        std::fs::write(&path, "[environments.x]\nclient_secret = hush\n").unwrap();
        let damaged = Environments::load(&path).map(drop).unwrap_err().to_string();
        assert!(damaged.contains("environments.toml is damaged") && !damaged.contains("hush"), "{damaged}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let open = Environments::load(&path).map(drop).unwrap_err().to_string();
        assert!(open.contains("mode 640") && open.contains("chmod 600"), "{open}");
    }
}
