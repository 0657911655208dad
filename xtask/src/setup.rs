//! What only the tasks of `xtask` need in addition to the Rust toolchain, installed on demand.

use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::install::{debian_packages, installed_once, python_with};
use muster_harness::workspace::{Workspace, cargo_for_others};
use std::path::PathBuf;
use std::process::Command;

/// The programs that the benchmark compares the service with.
const PEER_PACKAGES: &str = "duckdb==2.0.1 polars==2.1.0 chdb==4.4.0 datafusion==55.0.0 reportlab==5.1.0 typst==0.15.2 \
                             xlsxwriter==3.3.1";
/// The packages with which the engine's tests read the identity tables as other programs do.
const DELTA_PACKAGES: &str = "deltalake==1.6.6 polars==2.1.0 pyarrow==26.0.1";
/// Version of cargo-deny, which checks the dependencies.
const CARGO_DENY_VERSION: &str = "0.20.2";
/// Version of cargo-deb, which makes the Debian package.
const CARGO_DEB_VERSION: &str = "3.8.0";
/// Version of cargo-fuzz, which builds and runs fuzz targets.
const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// The program cargo-deny.
pub fn cargo_deny(workspace: &Workspace) -> Result<PathBuf> {
    cargo_program(workspace, "cargo-deny", CARGO_DENY_VERSION)
}

/// The program cargo-deb.
pub fn cargo_deb(workspace: &Workspace) -> Result<PathBuf> {
    cargo_program(workspace, "cargo-deb", CARGO_DEB_VERSION)
}

/// The program cargo-fuzz.
pub fn cargo_fuzz(workspace: &Workspace) -> Result<PathBuf> {
    cargo_program(workspace, "cargo-fuzz", CARGO_FUZZ_VERSION)
}

/// How cargo's programs are built: they run for seconds, and their authors' settings would build them for many minutes.
const QUICKLY_BUILT: [&str; 3] =
    ["profile.release.lto=false", "profile.release.codegen-units=16", "profile.release.opt-level=1"];

/// A program that cargo builds, with the dependencies with which its authors tested it.
fn cargo_program(workspace: &Workspace, name: &str, version: &str) -> Result<PathBuf> {
    let folder = workspace.cache()?.join(format!("{name}-{version}"));
    installed_once(&folder, || {
        let built = folder.join("build");
        command::run(
            cargo_for_others()
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

/// A Python interpreter that has the programs that the benchmark compares the service with.
pub fn python_with_peers(workspace: &Workspace) -> Result<PathBuf> {
    python_with(workspace, "peers", PEER_PACKAGES, "1")
}

/// A Python interpreter that reads Delta tables.
pub fn python_with_delta(workspace: &Workspace) -> Result<PathBuf> {
    python_with(workspace, "delta", DELTA_PACKAGES, "1.6.6")
}

/// A Java compiler and Lucene's classic query parser, with which the query language is compared.
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

/// The mail server that the tests of notifications send to.
pub fn mail_server() -> Result<()> {
    let has = || {
        let asked = Command::new("/usr/bin/python3").args(["-c", "import aiosmtpd"]).output();
        asked.is_ok_and(|output| output.status.success())
    };
    if has() { Ok(()) } else { debian_packages(&["python3-aiosmtpd"]) }
}

/// A program of a Debian package, which is installed if the program is missing.
pub fn debian_program(name: &str, package: &str) -> Result<PathBuf> {
    let find = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Servers are in a folder that is not in every user's path.
        let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        folders.map(|folder| folder.join(name)).find(|program| program.is_file())
    };
    if let Some(program) = find() {
        return Ok(program);
    }
    debian_packages(&[package])?;
    find().ok_or_else(|| Failure::new(format!("the package {package} has no program {name}")))
}

/// Whether Debian's package of Lucene is installed.
fn has_lucene() -> bool {
    let Ok(jars) = std::fs::read_dir("/usr/share/java") else { return false };
    jars.flatten().any(|jar| jar.file_name().to_string_lossy().starts_with("lucene-queryparser"))
}
