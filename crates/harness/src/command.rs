//! Running other programs.

use crate::failure::{Context, Failure, Result};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// From when on a command tells how long it took: where a limit is near, the output says what used it up.
const LONG: Duration = Duration::from_secs(10);

/// Runs a command to its end. It prints to our own output.
///
/// # Errors
/// When it cannot be run, or its status is not 0.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    eprintln!("$ {shown}");
    let begun = Instant::now();
    let status = command.status().context(|| format!("{shown} cannot be run"))?;
    if begun.elapsed() >= LONG {
        eprintln!("took {} s: {shown}", begun.elapsed().as_secs());
    }
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{shown}: {status}"))) }
}

/// Runs a command to its end; what it printed to standard output.
///
/// # Errors
/// When it cannot be run, or its status is not 0; the text has what it printed to standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command.output().context(|| format!("{shown} cannot be run"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("{shown}: {}\n{}", output.status, said.trim_end())));
    }
    String::from_utf8(output.stdout).context(|| format!("{shown} printed something that is not UTF-8"))
}

/// Runs a command to its end, prints each line of its standard output, and also passes it to `look`. Whether its status
/// is 0.
///
/// # Errors
/// When it cannot be run or read.
pub fn watch(command: &mut Command, mut look: impl FnMut(&str)) -> Result<bool> {
    let shown = shown(command);
    eprintln!("$ {shown}");
    let mut child = command.stdout(Stdio::piped()).spawn().context(|| format!("{shown} cannot be run"))?;
    let lines = BufReader::new(child.stdout.take().expect("standard output was piped"));
    for line in lines.split(b'\n') {
        let line = line.context(|| format!("the output of {shown} cannot be read"))?;
        let line = String::from_utf8_lossy(&line);
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").context(|| "standard output cannot be written".into())?;
        look(&line);
    }
    let status = child.wait().context(|| format!("{shown} cannot be waited for"))?;
    Ok(status.success())
}

/// Runs a command without input and output, and ends it after `limit`. Whether its status is 0.
///
/// # Errors
/// When it cannot be run or ended.
pub fn quietly_within(command: &mut Command, limit: Duration) -> Result<bool> {
    let shown = shown(command);
    eprintln!("$ {shown}");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().context(|| format!("{shown} cannot be run"))?;
    let begun = Instant::now();
    loop {
        let status = child.try_wait().context(|| format!("{shown} cannot be waited for"))?;
        if let Some(status) = status {
            return Ok(status.success());
        }
        if begun.elapsed() >= limit {
            child.kill().context(|| format!("{shown} cannot be ended"))?;
            child.wait().context(|| format!("{shown} cannot be waited for"))?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Whether a program of this name can be started.
pub fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}
