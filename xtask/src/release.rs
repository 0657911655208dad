//! `cargo xtask release`: everything that is handed out of one version, in one folder: the packages for Debian and for Fedora
//! and their relatives, an archive, what is built in (a software bill of materials and the licences), and the SHA-256 of each,
//! signed where a key is given.
//!
//! Invariant: what is made depends on the program, the repository and `SOURCE_DATE_EPOCH`, and on nothing else: two runs give
//! the same bytes. `--try` makes it twice and compares.

mod parts;
mod trial;
mod what;

use crate::built_in::BuiltIn;
use crate::package;
use crate::setup;
use crate::version;
use muster_harness::command;
use muster_harness::failure::{Context, Result};
use muster_harness::workspace::Workspace;
use std::path::{Path, PathBuf};
use std::process::Command;
use what::{DIGESTS, Release};

/// `cargo xtask release`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The program to hand out [default: built from this repository with the profile `dist`]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// The secret key of minisign that signs the list of digests; without it, the list is not signed
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Make everything twice, compare, and look at it with the programs of those who get it; the key is made for the trial
    #[arg(long = "try", conflicts_with = "key")]
    pub is_tried: bool,
}

/// Makes the release, and prints its folder. Whether everything succeeded.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let release = Release {
        workspace,
        version: version::of(workspace)?,
        epoch: version::epoch(workspace)?,
        arch: std::env::consts::ARCH,
    };
    let binary = match &options.binary {
        Some(_) => workspace.binary(options.binary.as_deref())?,
        None => built(&release)?,
    };
    let key = match options.is_tried {
        true => Some(trial::key(workspace)?),
        false => options.key.clone(),
    };
    let folder = make(&release, &binary, key.as_deref(), "release")?;
    if options.is_tried {
        let again = make(&release, &binary, key.as_deref(), "release-again")?;
        trial::compare(&folder, &again)?;
        trial::look(&release, &folder)?;
        println!("made twice with the same bytes, and looked at");
    }
    println!("{}", folder.display());
    Ok(true)
}

/// Makes all parts in a folder of this name.
fn make(release: &Release, binary: &Path, key: Option<&Path>, name: &str) -> Result<PathBuf> {
    package::gather(release.workspace, binary)?;
    let folder = release.workspace.fresh_folder(name)?;
    let built_in = BuiltIn::of(release.workspace)?;
    let bill = folder.join(format!("muster-{}.cdx.json", release.version));
    write(&bill, &built_in.bill_of_materials(&release.epoch)?)?;
    let licences = folder.join(format!("muster-{}.licences.txt", release.version));
    write(&licences, &built_in.licences()?)?;
    parts::deb(release, &folder)?;
    parts::rpm(release, &folder)?;
    parts::archive(release, &folder, &[bill, licences])?;
    let digests = parts::digests(&folder)?;
    let list = folder.join(DIGESTS);
    write(&list, &digests)?;
    if let Some(key) = key {
        sign(release, &list, key)?;
    }
    Ok(folder)
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).context(|| format!("{} cannot be written", file.display()))
}

/// Signs a file; the signature is beside it. minisign asks for the key's password, if it has one.
fn sign(release: &Release, file: &Path, key: &Path) -> Result<()> {
    let mut sign = Command::new(setup::debian_program("minisign", "minisign")?);
    sign.arg("-S").arg("-s").arg(key).arg("-m").arg(file);
    // Its default comment has the time.
    sign.arg("-t").arg(format!("muster {}", release.version));
    command::run(&mut sign)
}

/// The program as it is handed out. The texts of panics have paths of sources: they name neither this repository's folder
/// nor that of cargo, so that they are the same wherever the program is built. OpenSSL has the time of its build in it, which
/// is that of the release.
///
/// What the linker is told is not in a manifest: who builds for themselves may have another linker, or an older C library.
fn built(release: &Release) -> Result<PathBuf> {
    let workspace = release.workspace;
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let folders = [(home, "/cargo"), (Some(workspace.root.clone()), "/muster")];
    let flags: Vec<String> = folders
        .into_iter()
        .filter_map(|(folder, name)| Some(format!("--remap-path-prefix={}={name}", folder?.display())))
        .collect();
    let mut build = muster_harness::workspace::cargo();
    build.current_dir(&workspace.root).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    build.env("SOURCE_DATE_EPOCH", &release.epoch);
    build.args(["rustc", "--locked", "--profile", "dist", "--package", "muster", "--bin", "muster", "--"]);
    for argument in link_arguments(release.arch) {
        build.arg("-C").arg(format!("link-arg={argument}"));
    }
    command::run(&mut build)?;
    Ok(workspace.target.join("dist").join("muster"))
}

/// What makes the program smaller, with the linker that the compiler brings.
fn link_arguments(arch: &str) -> &'static [&'static str] {
    match arch {
        "x86_64" => &[
            // Functions of equal code are one function.
            "-Wl,--icf=all",
            // The list of addresses that are known only at the start takes a tenth of its place. Needs glibc 2.36.
            "-Wl,-z,pack-relative-relocs",
        ],
        // The compiler uses the linker of the system there, which has other arguments.
        _ => &[],
    }
}
