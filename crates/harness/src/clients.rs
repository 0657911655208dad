//! The published clients, unmodified, against a running server.

use crate::command;
use crate::failure::Result;
use crate::install;
use crate::installation::Installation;
use crate::server::Server;
use crate::tally::Tally;
use crate::workspace::{Workspace, must_run_everything};
use std::path::PathBuf;
use std::process::Command;

/// People in the organisation that the clients report on, unless told otherwise.
pub const DEFAULT_IDENTITIES: u64 = 3_000;

/// `cargo xtask clients`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The service's binary [default: built from this repository]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// People in the organisation that is reported on
    #[arg(long, default_value_t = DEFAULT_IDENTITIES)]
    pub identities: u64,
}

/// Runs the suites and prints their totals.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let binary = workspace.binary(options.binary.as_deref())?;
    let tally = suites(workspace, binary, options.identities)?;
    println!("{tally}");
    Ok(tally.failed == 0)
}

/// One suite: its name and its command.
struct Suite {
    name: String,
    command: Result<Command>,
}

/// Installs the clients, starts one server, runs every suite against it and stops it.
pub fn suites(workspace: &Workspace, binary: PathBuf, identities: u64) -> Result<Tally> {
    let scripts = workspace.root.join("tests").join("clients");
    let mut suites = Vec::new();
    for version in install::PYTHON_SDK_VERSIONS {
        let command = install::python_with_sdk(workspace, version).map(|python| {
            let mut command = Command::new(python);
            command.arg(scripts.join("python_sdk.py"));
            command
        });
        suites.push(Suite { name: format!("Python SDK {version}"), command });
    }
    let command = install::node_modules_with_sdk(workspace).map(|modules| {
        let mut command = Command::new("node");
        command.arg(scripts.join("typescript_sdk.mjs")).arg(modules);
        command
    });
    suites.push(Suite { name: format!("TypeScript SDK {}", install::TYPESCRIPT_SDK_VERSION), command });

    let mut requests = Command::new("python3");
    requests.arg(scripts.join("command_line.py"));
    suites.push(Suite { name: "the command line's requests".into(), command: Ok(requests) });

    let command = install::python_with_model_context(workspace).map(|python| {
        let mut command = Command::new(python);
        command.arg(scripts.join("model_context.py")).env("MUSTER_BINARY", &binary);
        command
    });
    suites.push(Suite { name: format!("Model Context {}", install::MODEL_CONTEXT_VERSION), command });

    let folder = workspace.fresh_folder("clients")?;
    let installation = Installation::with_demo(&binary, &folder.join("data"), identities)?;
    // Recipients of searches are taken only where there is a mail server. Nothing answers at this one: what is mailed is
    // the business of other tests.
    let mail = [
        ("MUSTER__MAIL__SERVER", "127.0.0.1"),
        ("MUSTER__MAIL__PORT", "9"),
        ("MUSTER__MAIL__FROM", "muster@example.com"),
    ];
    let users = installation.users_of_levels()?;
    let auditor = users.iter().find(|(level, _)| *level == "AUDITOR").map(|(_, user)| user);
    let server = installation.serve(&mail)?;
    let mut tally = Tally::default();
    for suite in suites {
        match suite.command {
            Ok(mut command) => {
                if let Some(auditor) = auditor {
                    command.env("MUSTER_AUDITOR_CLIENT_ID", &auditor.id);
                    command.env("MUSTER_AUDITOR_CLIENT_SECRET", &auditor.secret);
                }
                tally += run_suite(&suite.name, command, &installation, &server)?;
            }
            Err(failure) => tally.cannot_run(&suite.name, &failure, must_run_everything()),
        }
    }
    server.stop()?;
    Ok(tally)
}

/// Runs one script. If its closing line is missing, that is one failure.
fn run_suite(
    name: &str,
    mut command: Command,
    installation: &Installation,
    server: &Server,
) -> Result<Tally> {
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().to_ascii_uppercase().ends_with("_PROXY") {
            command.env_remove(&variable);
        }
    }
    command
        .env("SAIL_BASE_URL", &server.base)
        .env("SAIL_CLIENT_ID", &installation.user.id)
        .env("SAIL_CLIENT_SECRET", &installation.user.secret)
        .env("MUSTER_APPLICATION_CLIENT_ID", &installation.application.id)
        .env("MUSTER_APPLICATION_CLIENT_SECRET", &installation.application.secret)
        .env("MUSTER_AUTHORITATIVE_SOURCE_ID", &installation.authoritative_source);
    let mut counted = None;
    let succeeded = command::watch(&mut command, |line| counted = Tally::from_script_line(line).or(counted))?;
    let mut tally = counted.unwrap_or_default();
    if (counted.is_none() || !succeeded) && tally.failed == 0 {
        println!("FAIL  {name} ended without its closing line");
        tally.failed += 1;
    }
    Ok(tally)
}
