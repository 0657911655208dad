//! A data directory with the demo organisation in it, and how the service and its commands are started on it.

use crate::api::{Credentials, Report};
use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::port::ReservedPort;
use crate::server::Server;
use serde_json::{Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The demo organisation's directory, whose id the published examples name.
pub const DIRECTORY_ID: &str = "2c9180897e7742b2017e781782f705b9";
/// Its name.
pub const DIRECTORY_NAME: &str = "Active Directory";
/// The tenant that a service belongs to unless told otherwise.
pub const TENANT: &str = "default";
/// A tenant that no service here belongs to.
pub const OTHER_TENANT: &str = "other";
/// Settings of most services under test: short leases, so that another worker soon claims what a killed one held; more
/// attempts than there are kills, because each kill costs a task an attempt; no rate limit, because clients here do not
/// pause.
pub const SETTINGS: [(&str, &str); 9] = [
    ("MUSTER__WORKER__LEASE_MS", "1500"),
    ("MUSTER__WORKER__HEARTBEAT_MS", "300"),
    ("MUSTER__WORKER__POLL_MS", "100"),
    ("MUSTER__WORKER__RETRY_FIRST_MS", "50"),
    ("MUSTER__WORKER__RETRY_MOST_MS", "200"),
    ("MUSTER__WORKER__ATTEMPTS_MAX", "1000000"),
    ("MUSTER__RATE_LIMIT__REQUESTS", "1000000"),
    ("MUSTER__RATE_LIMIT__TENANT_REQUESTS", "1000000"),
    ("MUSTER__RATE_LIMIT__TOKEN_REQUESTS", "1000000"),
];

/// The folder, in the folder of results, to which a sweep moves result files that no record names.
pub const TRASH: &str = "trash";
/// The setting with the URL of the database.
const URL: &str = "MUSTER__STORE__URL";
/// The setting with the folder that the processes share.
const SHARED: &str = "MUSTER__DATA__SHARED";

/// Settings of a service that keeps its tasks in a PostgreSQL database and its files in the folder `shared`.
pub fn over_postgres(url: &str, shared: &Path) -> Vec<(String, String)> {
    vec![(URL.to_owned(), url.to_owned()), (SHARED.to_owned(), shared.display().to_string())]
}

/// An installation of the service: a data directory with data, credentials and a snapshot, and the settings for it.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The service's binary.
    pub binary: PathBuf,
    /// The data directory.
    pub data: PathBuf,
    /// The file to which the service's log is added.
    pub log: PathBuf,
    /// `MUSTER__...` variables of every service and command on it.
    pub settings: Vec<(String, String)>,
    /// A user with every right.
    pub user: Credentials,
    /// An application with every scope.
    pub application: Credentials,
    /// A user of another tenant with every right there.
    pub stranger: Credentials,
    /// An authoritative source.
    pub authoritative_source: String,
}

/// An access review, and who reviews.
pub struct OpenReview {
    /// Its id.
    pub id: String,
    /// Somebody with items, who administers nothing.
    pub reviewer: Credentials,
    /// The same person, who administers certifications.
    pub manager: Credentials,
}

impl Installation {
    /// Fills `data`, an empty folder, with the demo organisation, by `muster demo`.
    ///
    /// # Errors
    /// When a command fails.
    pub fn with_demo(binary: &Path, data: &Path, identities: u64) -> Result<Self> {
        Self::with_demo_and(binary, data, identities, Vec::new())
    }

    /// The same with settings, which may name another database and folder.
    ///
    /// # Errors
    /// When a command fails.
    pub fn with_demo_and(
        binary: &Path,
        data: &Path,
        identities: u64,
        settings: Vec<(String, String)>,
    ) -> Result<Self> {
        Self::made(binary, data, identities, settings, "--once")
    }

    /// The same, and no report has run.
    ///
    /// # Errors
    /// When a command fails.
    pub fn with_organisation(
        binary: &Path,
        data: &Path,
        identities: u64,
        settings: Vec<(String, String)>,
    ) -> Result<Self> {
        Self::made(binary, data, identities, settings, "--no-reports")
    }

    fn made(
        binary: &Path,
        data: &Path,
        identities: u64,
        settings: Vec<(String, String)>,
        how_far: &str,
    ) -> Result<Self> {
        command::run(
            muster(binary, data)
                .envs(settings.iter().cloned())
                .args(["demo", how_far, "--listen", "127.0.0.1:0", "--identities"])
                .arg(identities.to_string())
                .stdout(Stdio::null()),
        )?;
        Self::on_with(binary, data, settings)
    }

    /// Adds credentials to a data directory that has sources and a snapshot.
    fn on_with(binary: &Path, data: &Path, settings: Vec<(String, String)>) -> Result<Self> {
        let muster = || {
            let mut command = muster(binary, data);
            command.envs(settings.iter().cloned());
            command
        };
        let user = ["--kind", "user", "--name", "checks", "--level", "ORG_ADMIN"];
        let application = ["--kind", "application", "--name", "checks"];
        let listed = json_of(muster().args(["source", "list", "--output", "json"]))?;
        let authoritative =
            listed.as_array().into_iter().flatten().find(|s| s["authoritative"] == json!(true));
        let id = authoritative.and_then(|source| source["id"].as_str());
        Ok(Self {
            binary: binary.into(),
            data: data.into(),
            log: data.with_extension("serve.log"),
            user: create_client(&mut muster(), &user)?,
            application: create_client(&mut muster(), &application)?,
            stranger: create_client(muster().env("MUSTER__TENANT__ID", OTHER_TENANT), &user)?,
            settings: settings.clone(),
            authoritative_source: id.ok_or_else(|| Failure::new("no source is authoritative"))?.to_owned(),
        })
    }

    /// A user of each level but `ORG_ADMIN`, with every scope that the level can use, by the name of the level. Those of
    /// sources see one source, and the auditor sees one report of this year and the years around it.
    ///
    /// # Errors
    /// When a command fails.
    pub fn users_of_levels(&self) -> Result<Vec<(&'static str, Credentials)>> {
        let create = |level: &'static str, more: &[&str]| {
            let who = [&["--kind", "user", "--name", level, "--level", level], more].concat();
            Ok((level, credentials(self.command().args(["client", "create"]).args(who))?))
        };
        let all = ["--scope", "sp:scopes:all"];
        let of_source = ["--scope", "sp:scopes:all", "--source", DIRECTORY_NAME];
        let limits = ["--reports", "ORPHAN_IDENTITIES", "--from", "2020-01-01", "--to", "2099-12-31"];
        let auditor = [&limits[..], &["--ends", "2099-12-31", "--scope", "sp:report:manage"]].concat();
        let others = ["CERT_ADMIN", "REPORT_ADMIN", "ROLE_ADMIN", "ROLE_SUBADMIN", "HELPDESK", "USER"];
        let others = others.into_iter().map(|level| (level, &all[..]));
        let sources = ["SOURCE_ADMIN", "SOURCE_SUBADMIN"].map(|level| (level, &of_source[..]));
        let users = others.chain(sources).chain([("AUDITOR", &auditor[..])]);
        users.map(|(level, more)| create(level, more)).collect()
    }

    /// An access review of all accounts by the managers, made at a service over this installation: its id, and somebody who
    /// reviews items of it, as a user without a level of administrators and as one who administers certifications.
    ///
    /// # Errors
    /// When a command fails, or nobody has items.
    pub fn review(&self, base: &str) -> Result<OpenReview> {
        let mut create = self.command();
        create.args(["review", "create", "Spring", "--reviewers", "manager", "--comment-required"]);
        create.args(["--base-url", base, "--client-id", &self.user.id, "--client-secret", &self.user.secret]);
        let made = json_of(create.args(["--output", "json"]))?;
        let named =
            |progress: &Value| Some((progress["items"].as_u64()?, progress["reviewer"].as_str()?.to_owned()));
        let most = made["progress"].as_array().into_iter().flatten().filter_map(named).max();
        let (_, reviewer) = most.ok_or_else(|| Failure::new("no item of the review has a reviewer"))?;
        let id = made["id"].as_str().ok_or_else(|| Failure::new("the review has no id"))?.to_owned();
        let user = |level: &str| {
            create_client(&mut self.command(), &["--kind", "user", "--name", &reviewer, "--level", level])
        };
        Ok(OpenReview { id, reviewer: user("USER")?, manager: user("CERT_ADMIN")? })
    }

    /// The six fixed reports, with arguments that fit this organisation.
    pub fn reports(&self) -> Vec<Report> {
        let report = |kind, arguments| Report { kind, arguments };
        vec![
            report("ACCOUNTS", json!({"application": DIRECTORY_ID, "sourceName": DIRECTORY_NAME})),
            report("IDENTITIES", json!({"correlatedOnly": false})),
            report("IDENTITIES_DETAILS", json!({"correlatedOnly": false})),
            report(
                "IDENTITY_PROFILE_IDENTITY_ERROR",
                json!({"authoritativeSource": self.authoritative_source}),
            ),
            report("ORPHAN_IDENTITIES", json!({})),
            report("UNCORRELATED_ACCOUNTS", json!({})),
        ]
    }

    /// One of its settings.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(setting, _)| setting == name).map(|(_, value)| value.as_str())
    }

    /// The URL of its PostgreSQL database and the shared folder; `None` over SQLite.
    pub fn postgres(&self) -> Option<(&str, &Path)> {
        Some((self.setting(URL)?, Path::new(self.setting(SHARED)?)))
    }

    /// The folder of its result files.
    pub fn results(&self) -> PathBuf {
        self.setting(SHARED).map_or(&*self.data, Path::new).join("results")
    }

    /// A command of the binary on it, without arguments.
    pub fn command(&self) -> Command {
        let mut command = muster(&self.binary, &self.data);
        command.envs(self.settings.iter().cloned());
        command
    }

    /// Starts `muster serve` without waiting for it; `settings` are `MUSTER__...` variables.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn spawn(&self, settings: &[(&str, &str)]) -> Result<Server> {
        self.spawn_under(&[], settings)
    }

    /// Starts `muster serve` under another program whose process becomes the service, like `strace -D`; `under` is that
    /// program with its arguments.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn spawn_under(&self, under: &[String], settings: &[(&str, &str)]) -> Result<Server> {
        self.spawn_at(ReservedPort::new()?, under, settings)
    }

    /// As [`Installation::spawn_under`], at a port that is known before.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn spawn_at(
        &self,
        port: ReservedPort,
        under: &[String],
        settings: &[(&str, &str)],
    ) -> Result<Server> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .context(|| format!("{} cannot be opened", self.log.display()))?;
        let child = muster_under(under, &self.binary, &self.data)
            .args(["serve", "--init", "--listen", &format!("127.0.0.1:{}", port.number())])
            .envs(self.settings.iter().cloned())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().context(|| "the log cannot be opened twice".into())?)
            .stderr(log)
            .spawn()
            .context(|| format!("{} cannot be run", self.binary.display()))?;
        Ok(Server::new(child, port))
    }

    /// Starts `muster serve` and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn serve(&self, settings: &[(&str, &str)]) -> Result<Server> {
        let mut server = self.spawn(settings)?;
        server.wait_ready()?;
        Ok(server)
    }
}

/// A command of the binary on a data directory, without the settings and proxies of our own environment.
pub fn muster(binary: &Path, data: &Path) -> Command {
    let mut command = clean(binary);
    command.arg("--data").arg(data);
    command
}

/// The same under another program with its arguments, if `under` names one.
pub fn muster_under(under: &[String], binary: &Path, data: &Path) -> Command {
    match under {
        [] => muster(binary, data),
        [program, arguments @ ..] => {
            let mut under = clean(Path::new(program));
            under.args(arguments).arg(binary).arg("--data").arg(data);
            under
        }
    }
}

/// A program without the settings and proxies of our own environment.
pub(crate) fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_uppercase();
        if text.starts_with("MUSTER_") || text.starts_with("OTEL_") || text.ends_with("_PROXY") {
            command.env_remove(&name);
        }
    }
    command
}

fn create_client(muster: &mut Command, who: &[&str]) -> Result<Credentials> {
    credentials(muster.args(["client", "create", "--scope", "sp:scopes:all"]).args(who))
}

/// What `muster client create` gives.
fn credentials(create: &mut Command) -> Result<Credentials> {
    let made = json_of(create)?;
    let text = |key: &str| {
        made[key]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| Failure::new(format!("client create gave no {key}")))
    };
    Ok(Credentials { id: text("id")?, secret: text("secret")? })
}

fn json_of(command: &mut Command) -> Result<Value> {
    serde_json::from_str(&command::output(command)?).context(|| "the command's output is not JSON".into())
}
