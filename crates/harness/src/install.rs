//! Programs that the harness needs in addition to the Rust toolchain, installed on demand.
//!
//! Python packages are installed into virtual environments, npm packages into a folder, and the broker into another, all
//! below the target directory. Each folder gets a mark when its installation is complete, so an interrupted
//! installation starts again. Debian packages are installed only as root, and only if one of their programs is missing.

use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::workspace::{Workspace, cargo_for_others};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Versions of the published Python client that are driven.
pub const PYTHON_SDK_VERSIONS: [&str; 2] = ["2.1.72", "1.4.2"];
/// Version of the published TypeScript client that is driven.
pub const TYPESCRIPT_SDK_VERSION: &str = "1.4.15";

/// Versions of the packages that look at the console: Playwright drives Debian's Chromium, axe knows the rules of
/// accessibility.
const BROWSER_PACKAGES: [&str; 2] = ["playwright-core@1.65.1", "axe-core@4.14.1"];
/// The issuer at which the tests of the console sign in, with what drives the browser: one folder for one script.
const ISSUER_PACKAGES: [&str; 3] = ["oidc-provider@9.13.3", BROWSER_PACKAGES[0], BROWSER_PACKAGES[1]];
/// Version of the published Python client of the Model Context Protocol.
pub const MODEL_CONTEXT_VERSION: &str = "2.3.0";
/// Version of the published classes of OpenTelemetry's messages.
const TELEMETRY_VERSION: &str = "1.45.2";
/// Version of schemathesis, which makes hostile requests.
const SCHEMATHESIS_VERSION: &str = "4.32.5";
/// The packages of the relay's tests: Kafka's client reads what was sent, and moto is the object store in which the broker
/// keeps it. Moto is the store of backups and results in other tests, too.
const KAFKA_PACKAGES: &str = "confluent-kafka==2.16.1 moto[server,s3]==5.2.5";
/// Version of Microsoft's emulator of Azure Blob Storage.
const AZURITE_VERSION: &str = "3.35.0";
/// Version of the broker that the relay's long tests send to.
const TANSU_VERSION: &str = "0.6.0";

/// A Python interpreter with this version of the published client.
///
/// # Errors
/// When it cannot be installed.
pub fn python_with_sdk(workspace: &Workspace, version: &str) -> Result<PathBuf> {
    python_with(workspace, "sailpoint", &format!("sailpoint=={version}"), version)
}

/// A Python interpreter with the published client of the Model Context Protocol.
///
/// # Errors
/// When it cannot be installed.
pub fn python_with_model_context(workspace: &Workspace) -> Result<PathBuf> {
    python_with(workspace, "mcp", &format!("mcp=={MODEL_CONTEXT_VERSION}"), MODEL_CONTEXT_VERSION)
}

/// A Python interpreter with the classes of OpenTelemetry's messages.
///
/// # Errors
/// When it cannot be installed.
pub fn python_with_telemetry(workspace: &Workspace) -> Result<PathBuf> {
    let packages = format!("opentelemetry-proto=={TELEMETRY_VERSION}");
    python_with(workspace, "telemetry", &packages, TELEMETRY_VERSION)
}

/// A Python interpreter with schemathesis.
///
/// # Errors
/// When it cannot be installed.
pub fn python_with_schemathesis(workspace: &Workspace) -> Result<PathBuf> {
    python_with(
        workspace,
        "schemathesis",
        &format!("schemathesis=={SCHEMATHESIS_VERSION}"),
        SCHEMATHESIS_VERSION,
    )
}

/// A Python interpreter with Kafka's client and an object store.
///
/// # Errors
/// When it cannot be installed.
pub fn python_with_kafka(workspace: &Workspace) -> Result<PathBuf> {
    python_with(workspace, "kafka", KAFKA_PACKAGES, "2.16.1")
}

/// The `node_modules` folder with the published TypeScript client.
///
/// # Errors
/// When it cannot be installed.
pub fn node_modules_with_sdk(workspace: &Workspace) -> Result<PathBuf> {
    let package = format!("sailpoint-api-client@{TYPESCRIPT_SDK_VERSION}");
    node_modules_with(workspace, &format!("npm-sailpoint-{TYPESCRIPT_SDK_VERSION}"), &[&package])
}

/// The `node_modules` folder with what drives a browser.
///
/// # Errors
/// When it cannot be installed.
pub fn node_modules_with_browser(workspace: &Workspace) -> Result<PathBuf> {
    node_modules_with(workspace, &format!("npm-{}", BROWSER_PACKAGES.join("-")), &BROWSER_PACKAGES)
}

/// The `node_modules` folder with an OpenID Provider, and with what drives a browser.
///
/// # Errors
/// When it cannot be installed.
pub fn node_modules_with_issuer(workspace: &Workspace) -> Result<PathBuf> {
    node_modules_with(workspace, &format!("npm-{}", ISSUER_PACKAGES.join("-")), &ISSUER_PACKAGES)
}

/// Microsoft's emulator of Azure Blob Storage.
///
/// # Errors
/// When it cannot be installed.
pub fn azurite(workspace: &Workspace) -> Result<PathBuf> {
    let package = format!("azurite@{AZURITE_VERSION}");
    let modules = node_modules_with(workspace, &format!("npm-{package}"), &[&package])?;
    Ok(modules.join(".bin/azurite-blob"))
}

/// The `node_modules` folder with these packages.
fn node_modules_with(workspace: &Workspace, folder: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = workspace.cache()?.join(folder);
    installed_once(&folder, || {
        if !command::is_there("node") || !command::is_there("npm") {
            debian_packages(&["nodejs", "npm"])?;
        }
        std::fs::create_dir_all(&folder).context(|| format!("{} cannot be made", folder.display()))?;
        command::run(
            Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
                .arg(&folder)
                .args(packages),
        )
    })?;
    Ok(folder.join("node_modules"))
}

/// Debian's Chromium, at the path where the tests of the console look for it.
///
/// # Errors
/// When it cannot be installed.
pub fn chromium() -> Result<()> {
    if Path::new("/usr/bin/chromium").exists() { Ok(()) } else { debian_packages(&["chromium"]) }
}

/// A PostgreSQL server, which those who need it start and stop themselves.
///
/// # Errors
/// When it cannot be installed.
pub fn postgres() -> Result<()> {
    if has_postgres() { Ok(()) } else { debian_packages(&["postgresql"]) }
}

/// A broker that speaks Kafka's protocol and keeps its messages in an object store.
///
/// # Errors
/// When it cannot be installed.
pub fn broker(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.cache()?.join(format!("tansu-{TANSU_VERSION}"));
    installed_once(&folder, || {
        let built = folder.join("build");
        command::run(
            cargo_for_others()
                .args(["install", "tansu", "--version", TANSU_VERSION, "--locked"])
                .args(["--features", "dynostore", "--root"])
                .arg(&folder)
                .env("CARGO_TARGET_DIR", &built),
        )?;
        std::fs::remove_dir_all(&built).context(|| format!("{} cannot be removed", built.display()))
    })?;
    Ok(folder.join("bin").join("tansu"))
}

/// `stunnel`, which asks clients for certificates.
///
/// # Errors
/// When it cannot be installed.
pub fn stunnel() -> Result<()> {
    // It does not know `--version`.
    let mut ask = Command::new("stunnel");
    if command::output(ask.arg("-version")).is_ok() { Ok(()) } else { debian_packages(&["stunnel4"]) }
}

/// What the pages of the book use beside `muster`, each from the Debian package of its name.
///
/// # Errors
/// When one cannot be installed.
pub fn programs_of_readers() -> Result<()> {
    let is_there = |program: &&str| {
        let found = command::output(Command::new("bash").args(["-c", "command -v \"$1\"", "bash", program]));
        found.is_ok()
    };
    let missing: Vec<&str> = ["curl", "jq", "openssl", "python3", "unzip"]
        .into_iter()
        .filter(|program| !is_there(program))
        .collect();
    if missing.is_empty() { Ok(()) } else { debian_packages(&missing) }
}

/// `strace`, which makes system calls fail.
///
/// # Errors
/// When it cannot be installed.
pub fn strace() -> Result<()> {
    if command::is_there("strace") { Ok(()) } else { debian_packages(&["strace"]) }
}

/// A Python interpreter with these packages, in a folder of this name and version.
///
/// # Errors
/// When it cannot be installed.
pub fn python_with(workspace: &Workspace, name: &str, packages: &str, version: &str) -> Result<PathBuf> {
    let folder = workspace.cache()?.join(format!("python-{name}-{version}"));
    let python = folder.join("bin").join("python");
    installed_once(&folder, || {
        if !has_python_venv() {
            debian_packages(&["python3", "python3-venv"])?;
        }
        command::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        command::run(
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .args(packages.split(' ')),
        )
    })?;
    Ok(python)
}

/// Whether Debian's package of PostgreSQL is installed.
fn has_postgres() -> bool {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return false };
    versions.flatten().any(|version| version.path().join("bin/postgres").is_file())
}

/// Runs `install` unless an earlier run completed; it starts from an empty folder.
///
/// # Errors
/// Those of `install`, or when the folder cannot be changed.
pub fn installed_once(folder: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let mark = folder.join("complete");
    if mark.is_file() {
        return Ok(());
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    install()?;
    std::fs::write(&mark, "").context(|| format!("{} cannot be written", mark.display()))
}

/// A virtual environment needs `ensurepip`, which Debian leaves out of python3.
fn has_python_venv() -> bool {
    let mut ask = Command::new("python3");
    ask.args(["-c", "import venv, ensurepip"]);
    command::output(&mut ask).is_ok()
}

/// Installs Debian packages; the package lists are updated once in a run.
///
/// # Errors
/// When they cannot be installed, or we are not root.
pub fn debian_packages(names: &[&str]) -> Result<()> {
    static UPDATED: OnceLock<()> = OnceLock::new();
    let needed = names.join(" ");
    if !command::is_there("apt-get") {
        return Err(Failure::new(format!(
            "needs {needed}, and this system has no apt-get to install it with"
        )));
    }
    let user = command::output(Command::new("id").arg("-u"))?;
    if user.trim() != "0" {
        return Err(Failure::new(format!("needs {needed}: only root may run apt-get install {needed}")));
    }
    if UPDATED.get().is_none() {
        command::run(Command::new("apt-get").args(["update", "--quiet"]))?;
        let _ = UPDATED.set(());
    }
    command::run(
        Command::new("apt-get")
            .args(["install", "--yes", "--quiet", "--no-install-recommends"])
            .args(names)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}
