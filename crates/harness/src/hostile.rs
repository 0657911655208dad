//! `cargo xtask hostile`: requests that our own document allows and requests that it does not, made by schemathesis,
//! against the real binary.
//!
//! Why: schemathesis reads `openapi.json` as a stranger does. An answer must never be a fault of the service, and its
//! status, media type, headers and body must be those that the document names. The published API tolerates unknown members
//! and words in any case, which the document does not say; so the checks that expect refusals are left out.

use crate::command;
use crate::failure::Result;
use crate::install;
use crate::installation::{Installation, SETTINGS};
use crate::tally::Tally;
use crate::workspace::{Workspace, must_run_everything};
use std::path::{Path, PathBuf};
use std::process::Command;

/// `cargo xtask hostile`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The service's binary [default: built from this repository]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// At least 10,000 requests, instead of those of a minute
    #[arg(long)]
    pub long: bool,
    /// Number that decides what is sent
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What is checked in each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,ignored_auth";
/// Requests that are generated for each operation, in the short and in the long form. With those of the other phases, the
/// long form sends more than 10,000.
const EACH: (u32, u32) = (8, 400);
/// People in the organisation that is reported on.
const IDENTITIES: u64 = 50;

/// Runs it and prints totals.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let binary = workspace.binary(options.binary.as_deref())?;
    let tally = requests(workspace, &binary, options.long, options.seed)?;
    println!("{tally}");
    Ok(tally.failed == 0)
}

/// Sends the requests: one passed, or one failed.
pub fn requests(workspace: &Workspace, binary: &Path, long: bool, seed: u64) -> Result<Tally> {
    let mut tally = Tally::default();
    let program = match install::python_with_schemathesis(workspace) {
        // The package's own program is in the folder of its Python.
        Ok(python) => python.with_file_name("schemathesis"),
        Err(failure) => {
            tally.cannot_run("hostile requests", &failure, must_run_everything());
            return Ok(tally);
        }
    };
    let folder = workspace.fresh_folder("hostile")?;
    let installation = Installation::with_demo(binary, &folder.join("data"), IDENTITIES)?;
    let server = installation.serve(&SETTINGS)?;
    let bearer = server.connect(&installation.user)?.bearer().to_owned();
    let each = if long { EACH.1 } else { EACH.0 };
    let mut command = Command::new(program);
    command
        .arg("run")
        .arg(format!("{}/openapi.json", server.base))
        // The document names the address of default settings.
        .args(["--url", &server.base])
        .args(["--header", &format!("Authorization: {bearer}")])
        .args(["--checks", CHECKS, "--continue-on-failure", "--no-color"])
        .args(["--max-examples", &each.to_string(), "--seed", &seed.to_string()])
        .args(["--phases", if long { "examples,coverage,fuzzing" } else { "examples,fuzzing" }])
        .current_dir(&folder);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().to_ascii_uppercase().ends_with("_PROXY") {
            command.env_remove(&variable);
        }
    }
    match command::watch(&mut command, |_| ())? {
        true => tally.passed += 1,
        false => {
            println!("FAIL  hostile: the answers differ from the document, or are faults");
            tally.failed += 1;
        }
    }
    server.stop()?;
    Ok(tally)
}
