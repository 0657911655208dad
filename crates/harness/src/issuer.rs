//! Signing in to the console at an issuer: the real binary, oidc-provider, and Chromium, all on this machine.
//!
//! The script `tests/console/issuer.mjs` is the issuer and the person at once. It says where the issuer answers, the service
//! is started with that, and then the script goes on.

use crate::failure::{Context, Failure, Result};
use crate::install;
use crate::installation::{Installation, clean};
use crate::port::ReservedPort;
use crate::tally::Tally;
use crate::workspace::{Workspace, must_run_everything};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

/// The secret of the console's client at the issuer, as the script has it: it has what encodings change.
const SECRET: &str = "a secret: with % and +";

/// Signs in with the organisation of `installation`. Screenshots are below `folder`.
pub fn sign_in(workspace: &Workspace, installation: &Installation, folder: &Path) -> Result<Tally> {
    let mut tally = Tally::default();
    let modules = match install::chromium().and_then(|()| install::node_modules_with_issuer(workspace)) {
        Ok(modules) => modules,
        Err(failure) => {
            tally.cannot_run("signing in at an issuer", &failure, must_run_everything());
            return Ok(tally);
        }
    };
    let port = ReservedPort::new()?;
    let base = format!("http://127.0.0.1:{}", port.number());
    let mut script = clean(Path::new("node"))
        .arg(workspace.root.join("tests/console/issuer.mjs"))
        .arg(modules)
        .arg(&base)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context(|| "node cannot be run".into())?;
    let counted = with_script(&mut script, installation, port, &base);
    // It may wait for a line that does not come.
    if counted.is_err() {
        let _ = script.kill();
    }
    let status = script.wait().context(|| "the script of the issuer cannot be waited for".into())?;
    tally += counted?;
    if !status.success() && tally.failed == 0 {
        println!("FAIL  signing in at an issuer ended with {status}");
        tally.failed += 1;
    }
    Ok(tally)
}

fn with_script(
    script: &mut Child,
    installation: &Installation,
    port: ReservedPort,
    base: &str,
) -> Result<Tally> {
    let taken = |what: &str| Failure::new(format!("the script has no {what}"));
    let mut told = BufReader::new(script.stdout.take().ok_or_else(|| taken("output"))?);
    let issuer = issuer_of(&mut told)?;
    write_settings(installation, base, &issuer)?;
    let mut server = installation.spawn_at(port, &[], &[("MUSTER__RATE_LIMIT__REQUESTS", "1000000")])?;
    server.wait_ready()?;
    let mut go = script.stdin.take().ok_or_else(|| taken("input"))?;
    writeln!(go, "go").context(|| "the script does not listen".into())?;
    let mut counted = None;
    for line in told.lines() {
        let line = line.context(|| "the script cannot be read".into())?;
        println!("{line}");
        counted = Tally::from_script_line(&line).or(counted);
    }
    server.stop()?;
    counted.ok_or_else(|| Failure::new("signing in at an issuer ended without its closing line"))
}

fn issuer_of(told: &mut BufReader<ChildStdout>) -> Result<String> {
    let mut line = String::new();
    told.read_line(&mut line).context(|| "the script cannot be read".into())?;
    let issuer = line.trim_end().strip_prefix("issuer ");
    issuer.map(str::to_owned).ok_or_else(|| Failure::new(format!("the script says {line:?} first")))
}

/// Settings of an installation whose people sign in at the issuer.
fn write_settings(installation: &Installation, base: &str, issuer: &str) -> Result<()> {
    let secret = installation.data.join("issuer.secret");
    let settings = format!(
        r#"[console]
public_url = "{base}"

[[auth.issuers]]
name = "corp"
issuer = "{issuer}"
audience = ["https://reports.example.org"]
algorithms = ["RS256"]
jwks_url = "{issuer}/jwks"
sign_in_client = "muster-console"
sign_in_secret_file = "issuer.secret"
sign_in_title = "Corp & Sons"
sign_in_scopes = ["openid", "sp:scopes:all"]
sign_in_resource = "https://reports.example.org"
"#
    );
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).context(|| format!("{} cannot be written", path.display()))
    };
    write(&installation.data.join("muster.toml"), &settings)?;
    write(&secret, SECRET)?;
    let only_owner = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
    std::fs::set_permissions(&secret, only_owner).context(|| format!("{} keeps its mode", secret.display()))
}
