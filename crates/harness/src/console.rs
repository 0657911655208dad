//! `cargo xtask console`: the console in Chromium, against the real binary.
//!
//! Why: templates and tests of the router do not show what a browser makes of a page: its policy, its cookies, focus,
//! keyboard, width. The script is `tests/console/pages.mjs`.

use crate::command;
use crate::failure::{Context, Result};
use crate::install;
use crate::installation::Installation;
use crate::issuer;
use crate::tally::Tally;
use crate::workspace::{Workspace, must_run_everything};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `cargo xtask console`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The service's binary [default: built from this repository]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// People in the organisation that is looked at
    #[arg(long, default_value_t = DEFAULT_IDENTITIES)]
    pub identities: u64,
    /// Only sign in at an issuer, and look at no page otherwise
    #[arg(long, conflicts_with = "picture")]
    pub sign_in: bool,
    /// Put the screenshot of the list of runs in the README's place
    #[arg(long)]
    pub picture: bool,
}

/// People in the organisation unless told otherwise.
pub const DEFAULT_IDENTITIES: u64 = 300;

/// A browser makes many pages in a short time.
const SETTINGS: [(&str, &str); 1] = [("MUSTER__RATE_LIMIT__REQUESTS", "1000000")];

/// Looks at every page and prints totals.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let binary = workspace.binary(options.binary.as_deref())?;
    let tally = match options.sign_in {
        true => {
            let folder = workspace.fresh_folder("sign-in")?;
            let installation = Installation::with_demo(&binary, &folder.join("data"), options.identities)?;
            issuer::sign_in(workspace, &installation, &folder.join("screenshots"))?
        }
        false => pages(workspace, &binary, options.identities)?,
    };
    println!("{tally}");
    let pictured = !options.picture || put_picture(workspace)?;
    Ok(tally.failed == 0 && pictured)
}

/// Looks at every page. Screenshots are in the folder `console` below that of the checks.
pub fn pages(workspace: &Workspace, binary: &Path, identities: u64) -> Result<Tally> {
    let mut tally = Tally::default();
    let modules = match install::chromium().and_then(|()| install::node_modules_with_browser(workspace)) {
        Ok(modules) => modules,
        Err(failure) => {
            tally.cannot_run("the console in a browser", &failure, must_run_everything());
            return Ok(tally);
        }
    };
    let folder = workspace.fresh_folder("console")?;
    let installation = Installation::with_demo(binary, &folder.join("data"), identities)?;
    let users = installation.users_of_levels()?;
    let levels: Vec<_> = users
        .iter()
        .map(|(level, user)| json!({"level": level, "id": user.id, "secret": user.secret}))
        .collect();
    let server = installation.serve(&SETTINGS)?;
    let review = installation.review(&server.base)?;
    let mut script = Command::new("node");
    script
        .arg(workspace.root.join("tests/console/pages.mjs"))
        .arg(modules)
        .arg(&server.base)
        .arg(folder.join("screenshots"))
        .env("USER_ID", &installation.user.id)
        .env("USER_SECRET", &installation.user.secret)
        .env("REVIEW", &review.id)
        .env("REVIEWER_ID", &review.reviewer.id)
        .env("REVIEWER_SECRET", &review.reviewer.secret)
        .env("REVIEW_MANAGER_ID", &review.manager.id)
        .env("REVIEW_MANAGER_SECRET", &review.manager.secret)
        .env("LEVELS", json!(levels).to_string())
        .env("APPLICATION_ID", &installation.application.id)
        .env("APPLICATION_SECRET", &installation.application.secret);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().to_ascii_uppercase().ends_with("_PROXY") {
            script.env_remove(&variable);
        }
    }
    let mut counted = None;
    let succeeded = command::watch(&mut script, |line| counted = Tally::from_script_line(line).or(counted))?;
    tally += counted.unwrap_or_default();
    if (counted.is_none() || !succeeded) && tally.failed == 0 {
        println!("FAIL  the console ended without its closing line");
        tally.failed += 1;
    }
    server.stop()?;
    tally += issuer::sign_in(workspace, &installation, &folder.join("screenshots"))?;
    Ok(tally)
}

/// The picture of the console in the README, and how large it may be.
const PICTURE: &str = "book/src/images/console.png";
const PICTURE_BYTES_MAX: u64 = 150 * 1024;

/// Puts a fresh screenshot of the list of runs in the repository.
fn put_picture(workspace: &Workspace) -> Result<bool> {
    let taken = workspace.cache()?.join("console/screenshots/picture.png");
    let bytes = std::fs::metadata(&taken).context(|| format!("{} is not there", taken.display()))?.len();
    if bytes > PICTURE_BYTES_MAX {
        println!("FAIL  the picture has {bytes} bytes: expected at most {PICTURE_BYTES_MAX}");
        return Ok(false);
    }
    let place = workspace.root.join(PICTURE);
    std::fs::copy(&taken, &place).context(|| format!("{} cannot be written", place.display()))?;
    println!("{PICTURE} is written: {bytes} bytes");
    Ok(true)
}
