//! A client's secret that a command prints, such as one that asks a keyring.

use crate::failure::{Context, Failure, Result};
use std::io::Read;
use std::process::{Command, Stdio};

/// Most bytes of a secret.
pub const SECRET_MAX: u64 = 4_096;

/// What a command line prints, without the end of its line. It may ask a person for a passphrase: its other streams are those of
/// this process.
///
/// # Errors
/// When it cannot be started, fails, or prints nothing. What it printed is in no message.
pub fn secret_of(command: &str) -> Result<String> {
    let wrong = || format!("the command for the client secret, `{command}`, cannot be run");
    let mut child =
        Command::new("/bin/sh").args(["-c", command]).stdout(Stdio::piped()).spawn().context(wrong)?;
    let mut text = String::new();
    if let Some(printed) = child.stdout.take() {
        printed.take(SECRET_MAX).read_to_string(&mut text).context(wrong)?;
    }
    let status = child.wait().context(wrong)?;
    match text.trim() {
        _ if !status.success() => {
            Err(Failure::new(format!("the command for the client secret, `{command}`, failed: {status}")))
        }
        "" => Err(Failure::new(format!(
            "the command for the client secret, `{command}`, printed nothing: expected the secret in a line"
        ))),
        secret => Ok(secret.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_command_prints_the_secret_or_says_why_not() {
        assert_eq!(secret_of("printf 'hush hush\\n'").unwrap(), "hush hush");
        for (command, reason) in [
            ("printf hush; exit 3", "failed: exit status: 3"),
            ("true", "printed nothing: expected the secret"),
        ] {
            let refused = secret_of(command).unwrap_err().to_string();
            assert!(refused.contains(reason) && refused.contains(command), "{refused}");
        }
    }
}
