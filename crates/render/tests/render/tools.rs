//! Programs that are not ours and read back what we wrote.
//!
//! A test whose program is missing says so and passes, unless `MUSTER_REQUIRE_TOOLS` is 1.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a program in a folder; `None`, with a word, when it is not there.
pub fn run<A: AsRef<OsStr>>(
    folder: &Path,
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Option<Output> {
    match Command::new(program).args(arguments).current_dir(folder).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            missing(program);
            None
        }
        Err(error) => panic!("{program} cannot be started: {error}"),
    }
}

/// Standard output of a program that must succeed.
pub fn text(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Runs a Python program with arguments; `None`, with a word, where Python or the module it needs is missing.
pub fn python(folder: &Path, module: &str, program: &str, arguments: &[&str]) -> Option<String> {
    let python = std::env::var("MUSTER_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = run(folder, &python, ["-c", &format!("import {module}")])?;
    if !found.status.success() {
        missing(module);
        return None;
    }
    Some(text(&run(folder, &python, ["-c", program].iter().chain(arguments))?))
}

fn missing(tool: &str) {
    assert!(std::env::var("MUSTER_REQUIRE_TOOLS").as_deref() != Ok("1"), "{tool} is not there");
    println!("SKIPPED: no {tool}");
}
