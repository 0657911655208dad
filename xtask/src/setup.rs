//! What tests need in addition to the Rust toolchain, installed on demand.
//!
//! Python packages go into virtual environments, npm packages into a folder and cargo's programs into another, all under
//! the target directory, each with a mark that is written last, so that a broken installation starts again. Debian
//! packages are installed only as root and only when something of theirs is missing.

use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::workspace::{Workspace, cargo};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Versions of the published Python client that are driven.
pub const PYTHON_SDK_VERSIONS: [&str; 2] = ["2.1.72", "1.4.2"];
/// Version of the published TypeScript client that is driven.
pub const TYPESCRIPT_SDK_VERSION: &str = "1.4.15";

/// The programs that the benchmark compares the service with.
const PEER_PACKAGES: &str = "duckdb==2.0.1 polars==2.1.0 chdb==4.4.0 datafusion==55.0.0 reportlab==5.1.0 typst==0.15.2 \
                             xlsxwriter==3.3.1";

/// Version of schemathesis that makes hostile requests.
const SCHEMATHESIS_VERSION: &str = "4.32.5";
/// The packages with which the engine's tests read the identity tables as others would.
const DELTA_PACKAGES: &str = "deltalake==1.6.6 polars==2.1.0 pyarrow==26.0.1";
/// The packages of the relay's tests: Kafka's client reads what was sent, and moto is the object store that the broker keeps
/// it in.
const KAFKA_PACKAGES: &str = "confluent-kafka==2.16.1 moto[server,s3]==5.2.5";
/// Version of the broker that the relay's long tests send to.
const TANSU_VERSION: &str = "0.6.0";

/// Version of cargo-deny that checks what is built in.
const CARGO_DENY_VERSION: &str = "0.20.2";
/// Version of cargo-fuzz that builds and runs fuzz targets.
const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// The program cargo-deny.
pub fn cargo_deny(workspace: &Workspace) -> Result<PathBuf> {
    cargo_program(workspace, "cargo-deny", CARGO_DENY_VERSION)
}

/// The program cargo-fuzz.
pub fn cargo_fuzz(workspace: &Workspace) -> Result<PathBuf> {
    cargo_program(workspace, "cargo-fuzz", CARGO_FUZZ_VERSION)
}

/// How cargo's programs are built: they run for seconds, and with their authors' optimisation are built for many minutes.
const QUICKLY_BUILT: [&str; 3] =
    ["profile.release.lto=false", "profile.release.codegen-units=16", "profile.release.opt-level=1"];

/// A program that cargo builds, with the dependencies that its authors tested it with.
fn cargo_program(workspace: &Workspace, name: &str, version: &str) -> Result<PathBuf> {
    let folder = workspace.cache()?.join(format!("{name}-{version}"));
    installed_once(&folder, || {
        let built = folder.join("build");
        command::run(
            cargo()
                .args(["install", "--locked", "--quiet", "--no-track", "--version", version])
                .args(QUICKLY_BUILT.iter().flat_map(|setting| ["--config", setting]))
                .arg("--root")
                .arg(&folder)
                .arg("--target-dir")
                .arg(&built)
                .arg(name),
        )?;
        std::fs::remove_dir_all(&built).context(|| format!("{} cannot be removed", built.display()))
    })?;
    Ok(folder.join("bin").join(name))
}

/// A Python interpreter that has this version of the published client.
pub fn python_with_sdk(workspace: &Workspace, version: &str) -> Result<PathBuf> {
    python_with(workspace, "sailpoint", &format!("sailpoint=={version}"), version)
}

/// A Python interpreter that has schemathesis.
pub fn python_with_schemathesis(workspace: &Workspace) -> Result<PathBuf> {
    python_with(
        workspace,
        "schemathesis",
        &format!("schemathesis=={SCHEMATHESIS_VERSION}"),
        SCHEMATHESIS_VERSION,
    )
}

/// A Python interpreter that has the programs that the benchmark compares the service with.
pub fn python_with_peers(workspace: &Workspace) -> Result<PathBuf> {
    python_with(workspace, "peers", PEER_PACKAGES, "1")
}

/// A Python interpreter that reads Delta tables.
pub fn python_with_delta(workspace: &Workspace) -> Result<PathBuf> {
    python_with(workspace, "delta", DELTA_PACKAGES, "1.6.6")
}

/// A Python interpreter that has Kafka's client and an object store.
pub fn python_with_kafka(workspace: &Workspace) -> Result<PathBuf> {
    python_with(workspace, "kafka", KAFKA_PACKAGES, "2.16.1")
}

/// A Python interpreter that has these packages, in a folder of this name and version.
fn python_with(workspace: &Workspace, name: &str, packages: &str, version: &str) -> Result<PathBuf> {
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

/// The `node_modules` folder that has the published TypeScript client.
pub fn node_modules_with_sdk(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.cache()?.join(format!("npm-sailpoint-{TYPESCRIPT_SDK_VERSION}"));
    installed_once(&folder, || {
        if !command::is_there("node") || !command::is_there("npm") {
            debian_packages(&["nodejs", "npm"])?;
        }
        std::fs::create_dir_all(&folder).context(|| format!("{} cannot be made", folder.display()))?;
        command::run(
            Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
                .arg(&folder)
                .arg(format!("sailpoint-api-client@{TYPESCRIPT_SDK_VERSION}")),
        )
    })?;
    Ok(folder.join("node_modules"))
}

/// A Java compiler and Lucene's classic query parser, which the query language is compared with.
pub fn lucene() -> Result<()> {
    let mut missing = Vec::new();
    if !command::is_there("javac") {
        missing.push("default-jdk-headless");
    }
    if !has_lucene() {
        missing.push("liblucene8-java");
    }
    if missing.is_empty() { Ok(()) } else { debian_packages(&missing) }
}

/// A PostgreSQL server, which the tests of the store start and stop themselves.
pub fn postgres() -> Result<()> {
    if has_postgres() { Ok(()) } else { debian_packages(&["postgresql"]) }
}

/// A broker that speaks Kafka's protocol and keeps its messages in an object store.
pub fn broker(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.cache()?.join(format!("tansu-{TANSU_VERSION}"));
    installed_once(&folder, || {
        let built = folder.join("build");
        command::run(
            cargo()
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
pub fn stunnel() -> Result<()> {
    // It knows no `--version`, but begins.
    let mut ask = Command::new("stunnel");
    if command::output(ask.arg("-version")).is_ok() { Ok(()) } else { debian_packages(&["stunnel4"]) }
}

/// `strace`, which makes system calls fail.
pub fn strace() -> Result<()> {
    if command::is_there("strace") { Ok(()) } else { debian_packages(&["strace"]) }
}

/// A program of a Debian package, which is installed if the program is missing.
pub fn debian_program(name: &str, package: &str) -> Result<PathBuf> {
    let find = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Where servers are, and not every user's path leads.
        let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        folders.map(|folder| folder.join(name)).find(|program| program.is_file())
    };
    if let Some(program) = find() {
        return Ok(program);
    }
    debian_packages(&[package])?;
    find().ok_or_else(|| Failure::new(format!("the package {package} has no program {name}")))
}

/// Whether Debian's package of PostgreSQL is there.
fn has_postgres() -> bool {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return false };
    versions.flatten().any(|version| version.path().join("bin/postgres").is_file())
}

/// Whether Debian's package of Lucene is there.
fn has_lucene() -> bool {
    let Ok(jars) = std::fs::read_dir("/usr/share/java") else { return false };
    jars.flatten().any(|jar| jar.file_name().to_string_lossy().starts_with("lucene-queryparser"))
}

/// Runs `install` unless it ran to its end before; starts from an empty folder.
fn installed_once(folder: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
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

/// `ensurepip` is what Debian leaves out of python3 and a virtual environment needs.
fn has_python_venv() -> bool {
    let mut ask = Command::new("python3");
    ask.args(["-c", "import venv, ensurepip"]);
    command::output(&mut ask).is_ok()
}

/// Installs Debian packages; the package lists are brought up to date once in a run.
fn debian_packages(names: &[&str]) -> Result<()> {
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
