//! The variables and files from which the published SDKs take their settings.
//!
//! The first of these that has a base URL decides, and it decides alone: a secret is never sent to an address that another
//! place names.
//!
//! 1. The variables `SAIL_BASE_URL`, `SAIL_CLIENT_ID` and `SAIL_CLIENT_SECRET`.
//! 2. The file `config.json` in the working directory, with `BaseURL`, `ClientId` and `ClientSecret`.
//! 3. The YAML file in the folder `.sailpoint` of the home directory: the active environment, with `baseurl`, `pat.clientid` and
//!    `pat.clientsecret`.

use crate::configuration::{Configuration, Credentials};
use crate::error::Error;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const BASE_URL: &str = "SAIL_BASE_URL";
const CLIENT_ID: &str = "SAIL_CLIENT_ID";
const CLIENT_SECRET: &str = "SAIL_CLIENT_SECRET";

/// Most bytes of a file of settings.
const FILE_MAX: u64 = 1 << 20;

/// Where settings were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingsOrigin {
    /// The variables.
    Variables,
    /// This file; of a file with several environments, this one.
    File {
        /// The file.
        path: PathBuf,
        /// The environment.
        environment: Option<String>,
    },
}

impl fmt::Display for SettingsOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variables => f.write_str(BASE_URL),
            Self::File { path, environment: None } => write!(f, "{}", path.display()),
            Self::File { path, environment: Some(name) } => {
                write!(f, "environment {name:?} of {}", path.display())
            }
        }
    }
}

/// What the published SDKs would use, and where it was found.
#[derive(Debug, Clone)]
pub struct PublishedSettings {
    /// The settings.
    pub configuration: Configuration,
    /// Where they were found.
    pub origin: SettingsOrigin,
}

impl PublishedSettings {
    /// Looks in the variables of this process, its working directory and the home directory of its user. `None` if no
    /// place has a base URL.
    ///
    /// # Errors
    /// [`Error::Configuration`] where a place has a base URL and no client, or a file is damaged.
    pub fn find() -> Result<Option<Self>, Error> {
        let variable = |name: &str| std::env::var(name).ok();
        Self::find_in(variable, Path::new("."), std::env::home_dir().as_deref())
    }

    /// Looks in these variables and folders.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn find_in(
        variable: impl Fn(&str) -> Option<String>,
        working_dir: &Path,
        home: Option<&Path>,
    ) -> Result<Option<Self>, Error> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let Some(base_url) = variable(BASE_URL) {
            let client = (variable(CLIENT_ID), variable(CLIENT_SECRET));
            let configuration = complete(&base_url, client, || {
                format!("{BASE_URL} is set: expected {CLIENT_ID} and {CLIENT_SECRET} with it")
            })?;
            return Ok(Some(Self { configuration, origin: SettingsOrigin::Variables }));
        }
        if let Some(found) = local(working_dir.join("config.json"))? {
            return Ok(Some(found));
        }
        match home {
            Some(home) => of_home(home.join(".sailpoint/config.yaml")),
            None => Ok(None),
        }
    }
}

impl Configuration {
    /// The settings of the published SDKs: [`PublishedSettings::find`].
    ///
    /// # Errors
    /// [`Error::Configuration`], also if no place has settings.
    pub fn from_env() -> Result<Self, Error> {
        let found = PublishedSettings::find()?.ok_or_else(|| {
            Error::Configuration(format!(
                "no service is configured: expected {BASE_URL}, {CLIENT_ID} and {CLIENT_SECRET}, or a file config.json or \
                 ~/.sailpoint/config.yaml"
            ))
        })?;
        Ok(found.configuration)
    }
}

type Client = (Option<String>, Option<String>);

fn complete(base_url: &str, client: Client, missing: impl Fn() -> String) -> Result<Configuration, Error> {
    match client {
        (Some(id), Some(secret)) => Ok(Configuration::new(base_url, Credentials::client(id, secret))),
        (Some(_), None) | (None, Some(_) | None) => Err(Error::Configuration(missing())),
    }
}

/// The text of a file, if it is there.
fn text(path: &Path) -> Result<Option<String>, Error> {
    let wrong = |why: String| Error::Configuration(format!("{}: {why}", path.display()));
    match std::fs::metadata(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(wrong(format!("it cannot be read: {error}"))),
        Ok(metadata) if metadata.len() > FILE_MAX => {
            return Err(wrong(format!("it has {} bytes: expected at most {FILE_MAX}", metadata.len())));
        }
        Ok(_) => {}
    }
    std::fs::read_to_string(path).map(Some).map_err(|error| wrong(format!("it cannot be read: {error}")))
}

#[derive(Deserialize)]
struct Local {
    #[serde(rename = "BaseURL")]
    base_url: Option<String>,
    #[serde(rename = "ClientId")]
    client_id: Option<String>,
    #[serde(rename = "ClientSecret")]
    client_secret: Option<String>,
}

fn local(path: PathBuf) -> Result<Option<PublishedSettings>, Error> {
    // Other programs have a file of this name, too.
    let Some(text) = text(&path)?.filter(|text| text.contains("\"BaseURL\"")) else { return Ok(None) };
    let place = path.display();
    // Positions only: the text has a secret.
    let local: Local = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Error::Configuration(format!(
            "{place}: line {line}, column {column}: expected an object with the texts BaseURL, ClientId and ClientSecret"
        ))
    })?;
    let Some(base_url) = local.base_url.filter(|url| !url.is_empty()) else { return Ok(None) };
    let configuration = complete(&base_url, (local.client_id, local.client_secret), || {
        format!("{place} has BaseURL: expected ClientId and ClientSecret with it")
    })?;
    Ok(Some(PublishedSettings { configuration, origin: SettingsOrigin::File { path, environment: None } }))
}

#[derive(Deserialize)]
struct OfHome {
    #[serde(default)]
    activeenvironment: Option<String>,
    #[serde(default)]
    environments: BTreeMap<String, Environment>,
}

#[derive(Deserialize)]
struct Environment {
    #[serde(default)]
    baseurl: Option<String>,
    #[serde(default)]
    pat: Option<Pat>,
}

#[derive(Default, Deserialize)]
struct Pat {
    #[serde(default)]
    clientid: Option<String>,
    #[serde(default)]
    clientsecret: Option<String>,
}

fn of_home(path: PathBuf) -> Result<Option<PublishedSettings>, Error> {
    let Some(text) = text(&path)? else { return Ok(None) };
    let place = path.display();
    let mut file: OfHome = serde_saphyr::from_str(&text).map_err(|error| {
        let at = error.location().map_or_else(String::new, |location| {
            format!("line {}, column {}: ", location.line(), location.column())
        });
        Error::Configuration(format!("{place}: {at}expected activeenvironment and environments, as YAML"))
    })?;
    let Some(name) = file.activeenvironment else { return Ok(None) };
    let Some(environment) = file.environments.remove(&name) else {
        return Err(Error::Configuration(format!(
            "{place}: activeenvironment is {name:?}: expected one of the names in environments"
        )));
    };
    let Some(base_url) = environment.baseurl.filter(|url| !url.is_empty()) else { return Ok(None) };
    let pat = environment.pat.unwrap_or_default();
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let configuration = complete(&base_url, (some(pat.clientid), some(pat.clientsecret)), || {
        format!(
            "{place}: the environment {name:?} has no pat.clientid and pat.clientsecret: expected {BASE_URL}, {CLIENT_ID} \
             and {CLIENT_SECRET} in their place"
        )
    })?;
    let origin = SettingsOrigin::File { path, environment: Some(name) };
    Ok(Some(PublishedSettings { configuration, origin }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    struct Surroundings {
        dir: tempfile::TempDir,
        variables: Vec<(&'static str, &'static str)>,
    }

    impl Surroundings {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(dir.path().join("home/.sailpoint")).unwrap();
            Self { dir, variables: Vec::new() }
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.dir.path().join(name), text).unwrap();
        }

        fn find(&self) -> Result<Option<(String, String, String)>, String> {
            let variable = |name: &str| {
                self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            let home = self.dir.path().join("home");
            let found = PublishedSettings::find_in(variable, self.dir.path(), Some(&home));
            let found = found.map_err(|error| error.to_string())?;
            Ok(found.map(|found| match found.configuration.credentials {
                Credentials::Client { id, secret } => (found.configuration.base_url, id, secret),
                Credentials::Token(_) => panic!("no token was given"),
            }))
        }
    }

    fn three(url: &str, id: &str, secret: &str) -> Result<Option<(String, String, String)>, String> {
        Ok(Some((url.into(), id.into(), secret.into())))
    }

    const YAML: &str = "\
activeenvironment: prod
authtype: pat
debug: false
environments:
  dev:
    baseurl: https://dev.api
    tenanturl: https://dev
    pat: {clientid: d, clientsecret: s}
  prod:
    baseurl: https://prod.api
    pat:
      clientid: p
      clientsecret: q
      accesstoken: ''
      expiry: 0001-01-01T00:00:00Z
";

    #[test]
    fn the_first_place_with_an_address_decides_alone() {
        let mut here = Surroundings::new();
        assert_eq!(here.find(), Ok(None));
        here.write("home/.sailpoint/config.yaml", YAML);
        assert_eq!(here.find(), three("https://prod.api", "p", "q"));
        here.write("config.json", r#"{"name": "another program's"}"#);
        assert_eq!(here.find(), three("https://prod.api", "p", "q"));
        here.write(
            "config.json",
            r#"{"BaseURL": "https://here", "ClientId": "i", "ClientSecret": "j", "x": 1}"#,
        );
        assert_eq!(here.find(), three("https://here", "i", "j"));
        here.variables = vec![("SAIL_CLIENT_ID", "v"), ("SAIL_CLIENT_SECRET", "w"), ("SAIL_BASE_URL", "")];
        assert_eq!(here.find(), three("https://here", "i", "j"));
        here.variables.push(("SAIL_BASE_URL", "https://there"));
        here.variables.remove(2);
        assert_eq!(here.find(), three("https://there", "v", "w"));
        here.variables.remove(0);
        assert_eq!(
            here.find().unwrap_err(),
            "SAIL_BASE_URL is set: expected SAIL_CLIENT_ID and SAIL_CLIENT_SECRET with it"
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_without_the_secret() {
        let here = Surroundings::new();
        for (name, text, expected) in [
            (
                "config.json",
                "{\"BaseURL\": \"https://x\", \"ClientId\": \"i\"}",
                "expected ClientId and ClientSecret with it",
            ),
            ("config.json", "{\"BaseURL\": \"https://x\",\n\"ClientSecret\": hush}", "line 2, column"),
            (
                "home/.sailpoint/config.yaml",
                "activeenvironment: x\nenvironments: {}\n",
                "activeenvironment is \"x\"",
            ),
            (
                "home/.sailpoint/config.yaml",
                "activeenvironment: x\nenvironments: [hush\n",
                "expected activeenvironment and",
            ),
            (
                "home/.sailpoint/config.yaml",
                "activeenvironment: x\nenvironments: {x: {baseurl: 'https://x'}}\n",
                "the environment \"x\" has no pat.clientid and pat.clientsecret",
            ),
        ] {
            here.write(name, text);
            let error = here.find().unwrap_err();
            assert!(error.contains(expected) && error.contains(name) && !error.contains("hush"), "{error}");
            std::fs::remove_file(here.dir.path().join(name)).unwrap();
        }
    }
}
