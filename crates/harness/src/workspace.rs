//! Where things are: the repository, the target directory, the service's binary.

use crate::command;
use crate::failure::{Context, Failure, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository that this program was built in.
#[derive(Debug)]
pub struct Workspace {
    /// The repository's root folder.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// Names of the workspace's packages.
    pub packages: Vec<String>,
}

impl Workspace {
    /// Asks cargo for them.
    ///
    /// # Errors
    /// When cargo cannot answer.
    pub fn find() -> Result<Self> {
        // The folder from which cargo runs us: another clone with the same target directory may have built us.
        let here =
            std::env::var_os("CARGO_MANIFEST_DIR").map_or(env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let mut ask = cargo();
        ask.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(here);
        let answer: serde_json::Value = serde_json::from_str(&command::output(&mut ask)?)
            .context(|| "the answer of cargo metadata cannot be read".into())?;
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let missing = || Failure::new("cargo metadata did not say where the workspace is");
        let packages = answer["packages"].as_array().ok_or_else(missing)?;
        Ok(Self {
            root: text(&answer["workspace_root"]).ok_or_else(missing)?.into(),
            target: text(&answer["target_directory"]).ok_or_else(missing)?.into(),
            packages: packages.iter().filter_map(|package| text(&package["name"])).collect(),
        })
    }

    /// Builds everything that the tests and the binary need, with the same features, so that the heavy crates are compiled
    /// once.
    ///
    /// # Errors
    /// When the build fails.
    pub fn build(&self) -> Result<()> {
        command::run(self.cargo().args([
            "build",
            "--release",
            "--workspace",
            // Its tests add a feature to tokio; see `xtask/src/test.rs`.
            "--exclude",
            "muster-worker",
            "--bins",
            "--tests",
        ]))
    }

    /// Cargo in the repository, to build our crates.
    pub fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.root);
        command
    }

    /// The service's binary: the given one, or one that is built now.
    ///
    /// # Errors
    /// When it is not there or cannot be built.
    pub fn binary(&self, given: Option<&Path>) -> Result<PathBuf> {
        let binary = match given {
            Some(path) => path.canonicalize().context(|| format!("{} cannot be found", path.display()))?,
            None => {
                self.build()?;
                self.target.join("release").join("muster")
            }
        };
        if binary.is_file() {
            Ok(binary)
        } else {
            Err(Failure::new(format!("{} is not there", binary.display())))
        }
    }

    /// A folder for what the tests install and keep between runs.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn cache(&self) -> Result<PathBuf> {
        let folder = self.target.join("checks");
        std::fs::create_dir_all(&folder).context(|| format!("{} cannot be made", folder.display()))?;
        Ok(folder)
    }

    /// An empty folder for one run. It stays after the run, so that a person can look at it when something failed.
    ///
    /// # Errors
    /// When it cannot be made or emptied.
    pub fn fresh_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.cache()?.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).context(|| format!("{} cannot be emptied", folder.display()))?;
        }
        std::fs::create_dir_all(&folder).context(|| format!("{} cannot be made", folder.display()))?;
        Ok(folder)
    }
}

/// The cargo that runs us, without the variables that it set for our own package: the build scripts of some dependencies
/// depend on these variables, and would build DataFusion again for `cargo xtask` after `cargo run`.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let ours = name.to_string_lossy();
        if OWN_PACKAGE.iter().any(|prefix| ours.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

/// [`cargo`] for a program of others: lints of ours are not for it.
pub fn cargo_for_others() -> Command {
    let mut command = cargo();
    command.env_remove("RUSTC_WORKSPACE_WRAPPER").env_remove("CLIPPY_ARGS");
    command
}

/// Beginnings of the variables that cargo sets for the program that it runs.
const OWN_PACKAGE: [&str; 5] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_NAME", "CARGO_BIN_NAME", "CARGO_PRIMARY_PACKAGE"];

/// Whether this is continuous integration (`CI=true`), where nothing may be skipped.
pub fn must_run_everything() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}
