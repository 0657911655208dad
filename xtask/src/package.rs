//! `cargo xtask package`: the Debian package, with manual pages and completions; `--try` installs it in a Debian of its
//! own, starts the service, upgrades and removes it.

use crate::setup;
use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::workspace::{Workspace, cargo};
use std::path::{Path, PathBuf};
use std::process::Command;

/// `cargo xtask package`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Install, start, upgrade and remove the package in a Debian that is made for it; needs root
    #[arg(long = "try")]
    pub is_tried: bool,
}

/// Where manual pages and completions are made; the package takes them from there.
const MADE: &str = "packaging/made";
/// Names of the completions, as the shells look for them.
const COMPLETIONS: [(&str, &str); 3] = [("bash", "muster"), ("zsh", "_muster"), ("fish", "muster.fish")];

/// Makes the package, and prints its place. Whether everything succeeded.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let binary = workspace.binary(None)?;
    let package = make(workspace, &binary)?;
    println!("{}", package.display());
    if options.is_tried {
        in_debian(workspace, &package)?;
        println!("installed, started, upgraded and removed");
    }
    Ok(true)
}

fn make(workspace: &Workspace, binary: &Path) -> Result<PathBuf> {
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
    let program = setup::cargo_deb(workspace)?;
    let package = workspace.fresh_folder("package")?.join("muster.deb");
    let mut pack = Command::new(program);
    pack.current_dir(&workspace.root)
        .env("CARGO", cargo().get_program())
        .args(["--no-build", "--no-strip", "--package", "muster", "--output"])
        .arg(&package);
    command::run(&mut pack)?;
    Ok(package)
}

/// What is done in the Debian. `serve` runs without systemd, as the unit calls it.
const STORY: &str = r#"set -eu
apt-get install --yes --quiet ./muster.deb
muster --version
test -s /usr/share/man/man1/muster.1 -o -s /usr/share/man/man1/muster.1.gz
test -s /usr/share/bash-completion/completions/muster
id muster
as_muster() { setpriv --reuid muster --regid muster --clear-groups "$@"; }
install -d -o muster -g muster -m 700 /var/lib/muster
serve() {
    as_muster muster serve --init --config /etc/muster/muster.toml --data /var/lib/muster 2> /tmp/log &
    service=$!
    for _ in $(seq 100); do
        if grep -q listening /tmp/log; then break; fi
        sleep 0.1
    done
    grep -q listening /tmp/log
    kill "$service"
    wait "$service"
}
serve
as_muster muster client create --kind user --name ada --level ORG_ADMIN --scope sp:scopes:all --data /var/lib/muster
before=$(as_muster muster audit list --output json --data /var/lib/muster)
apt-get install --yes --quiet --reinstall ./muster.deb
serve
after=$(as_muster muster audit list --output json --data /var/lib/muster)
test "$before" = "$after"
apt-get remove --yes --quiet muster
test ! -e /usr/bin/muster
test -s /var/lib/muster/muster.db
test -s /etc/muster/muster.toml
"#;

/// Tries the package in a Debian that has nothing but the essential packages.
fn in_debian(workspace: &Workspace, package: &Path) -> Result<()> {
    let program = setup::debian_program("mmdebstrap", "mmdebstrap")?;
    let root = workspace.fresh_folder("package-debian")?.join("root");
    command::run(Command::new(program).args(["--variant=apt", "--quiet", "bookworm"]).arg(&root))?;
    let inside = root.join("muster.deb");
    std::fs::copy(package, &inside).context(|| format!("{} cannot be copied", package.display()))?;
    let told = command::run(
        Command::new("chroot").arg(&root).args(["sh", "-c", STORY]).env("DEBIAN_FRONTEND", "noninteractive"),
    );
    told.map_err(|failure| {
        Failure::new(format!("the package does not behave in {}: {failure}", root.display()))
    })
}
