//! `cargo xtask package`: the Debian package, with manual pages and completions; `--try` installs it, and the package for
//! Fedora, in a Debian that boots, starts the service, upgrades and removes it, and `--container` builds the container from it
//! and runs it.

mod rpm;
mod trial;

use crate::built_in::BuiltIn;
use crate::setup;
use crate::version;
use muster_harness::command;
use muster_harness::failure::{Context, Result};
use muster_harness::workspace::{Workspace, cargo};
use std::path::{Path, PathBuf};
use std::process::Command;
use trial::Kind;

pub use rpm::make as make_rpm;

/// `cargo xtask package`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The program to pack [default: built from this repository]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// Also build the container from the package, and run it; needs root
    #[arg(long)]
    pub container: bool,
    /// Install, start, upgrade and remove the package, and that for Fedora, in a Debian that is made for it and boots; needs
    /// root
    #[arg(long = "try")]
    pub is_tried: bool,
}

/// How the container is built and run.
const CONTAINER: &str = include_str!("package/container.sh");
/// The revision that is handed out; the trial upgrades to the next one.
pub const FIRST: u32 = 1;
/// Where the program, manual pages and completions are put; the package takes them from there.
pub const MADE: &str = "packaging/made";
/// Names of the completions, as the shells look for them.
const COMPLETIONS: [(&str, &str); 3] = [("bash", "muster"), ("zsh", "_muster"), ("fish", "muster.fish")];

/// Makes the package, and prints its place. Whether everything succeeded.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let binary = workspace.binary(options.binary.as_deref())?;
    gather(workspace, &binary)?;
    let folder = workspace.fresh_folder("package")?;
    let package = make(workspace, FIRST, &folder, None)?;
    println!("{}", package.display());
    if options.is_tried {
        let next = make(workspace, FIRST + 1, &folder, None)?;
        trial::run(workspace, Kind::Deb, &package, &next)?;
        println!("the package for Debian: installed, started, upgraded and removed");
        let (version, epoch) = (version::of(workspace)?, version::epoch(workspace)?);
        let make = |revision| make_rpm(workspace, (&version, revision), &folder, &epoch);
        trial::run(workspace, Kind::Rpm, &make(FIRST)?, &make(FIRST + 1)?)?;
        println!("the package for Fedora: installed, started, upgraded and removed");
    }
    if options.container {
        in_container(workspace, &package)?;
        println!("built as a container, started and stopped");
    }
    Ok(true)
}

/// Puts everything that has to be made into the folder that the packages take it from.
pub fn gather(workspace: &Workspace, binary: &Path) -> Result<()> {
    let made = workspace.root.join(MADE);
    if made.exists() {
        std::fs::remove_dir_all(&made).context(|| format!("{} cannot be emptied", made.display()))?;
    }
    command::output(Command::new(binary).arg("manual").arg(made.join("man")))?;
    let completions = made.join("completions");
    std::fs::create_dir_all(&completions).context(|| format!("{} cannot be made", completions.display()))?;
    for (shell, name) in COMPLETIONS {
        let script = command::output(Command::new(binary).args(["completion", shell]))?;
        let file = completions.join(name);
        std::fs::write(&file, script).context(|| format!("{} cannot be written", file.display()))?;
    }
    // Without symbols: they are several times as large as the program.
    let strip = setup::debian_program("strip", "binutils")?;
    let program = made.join("muster");
    command::run(Command::new(strip).arg("--strip-all").arg("-o").arg(&program).arg(binary))?;
    BuiltIn::of(workspace)?.put_into(&program)
}

/// Builds the container of a package, and runs it.
fn in_container(workspace: &Workspace, package: &Path) -> Result<()> {
    setup::debian_program("mmdebstrap", "mmdebstrap")?;
    setup::debian_program("podman", "podman")?;
    setup::debian_program("runc", "runc")?;
    let folder = workspace.fresh_folder("package-container")?;
    let mut story = Command::new("bash");
    story.args(["-c", CONTAINER, "container"]).arg(folder).arg(workspace.root.join("packaging")).arg(package);
    command::run(&mut story)
}

/// Whether the addresses in a program are packed, so that it needs a C library that reads this.
fn is_packed(program: &Path) -> Result<bool> {
    const NEEDED: &[u8] = b"GLIBC_ABI_DT_RELR";
    let bytes = std::fs::read(program).context(|| format!("{} cannot be read", program.display()))?;
    Ok(bytes.windows(NEEDED.len()).any(|part| part == NEEDED))
}

/// The files of a folder, by name.
pub fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).context(|| format!("{} cannot be listed", folder.display()))?;
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

/// Makes the package of this revision, and returns its place. Its files are dated with `epoch`, if it is given.
pub fn make(workspace: &Workspace, revision: u32, folder: &Path, epoch: Option<&str>) -> Result<PathBuf> {
    let package = folder.join(format!("muster-{revision}.deb"));
    let mut pack = Command::new(setup::cargo_deb(workspace)?);
    pack.current_dir(&workspace.root)
        .env("CARGO", cargo().get_program())
        .args(["--no-build", "--no-strip", "--package", "muster"])
        .args(["--deb-revision", &revision.to_string()])
        .arg("--output")
        .arg(&package);
    if is_packed(&workspace.root.join(MADE).join("muster"))? {
        pack.args(["--variant", "packed"]);
    }
    if let Some(epoch) = epoch {
        pack.env("SOURCE_DATE_EPOCH", epoch);
    }
    if revision > FIRST {
        // It is only upgraded to, on this machine.
        pack.arg("--fast");
    }
    command::run(&mut pack)?;
    Ok(package)
}
