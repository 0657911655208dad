//! What the binary's source says about its commands and its settings, read as text.
//!
//! Why as text: asking the binary would mean building the engine for a check that takes a second. The files
//! are formatted by rustfmt, so an item and its parts stand at known indentations.

use std::collections::{BTreeMap, BTreeSet};

/// Subcommands and flags of the service's command line.
#[derive(Debug, Default)]
pub struct CommandLine {
    /// Subcommands by the name of their enum: `Command`, `ReportCommand`, ...
    subcommands: BTreeMap<String, BTreeSet<String>>,
    /// Every long flag of any command.
    flags: BTreeSet<String>,
}

impl CommandLine {
    /// Reads `cli.rs`, behind the files of its folder.
    pub fn read(source: &str) -> Self {
        let mut read = Self::default();
        let mut inside: Option<String> = None;
        // The attribute of the next field, while it says `long`.
        let mut long: Option<String> = None;
        for line in source.lines() {
            let trimmed = line.trim_start();
            let indentation = line.len() - trimmed.len();
            if trimmed.starts_with("#[cfg(test)]") {
                break;
            }
            if let Some(name) = trimmed.strip_prefix("pub enum ") {
                inside = name.split(' ').next().map(str::to_owned);
            } else if line == "}" {
                inside = None;
            } else if trimmed.starts_with("#[arg(") && trimmed.contains("long") {
                let named = trimmed.split("long = \"").nth(1).and_then(|rest| rest.split('"').next());
                long = Some(named.unwrap_or_default().to_owned());
            } else if let Some(name) = inside.as_ref().filter(|_| indentation == 4)
                && trimmed.starts_with(|c: char| c.is_ascii_uppercase())
            {
                let variant: String = trimmed.chars().take_while(char::is_ascii_alphanumeric).collect();
                read.subcommands.entry(name.clone()).or_default().insert(kebab(&variant));
            } else if !trimmed.starts_with(['#', '/'])
                && let Some((field, _)) = trimmed.split_once(": ")
                && let Some(named) = long.take()
            {
                let field = field.trim_start_matches("pub ").replace('_', "-");
                read.flags.insert(if named.is_empty() { field } else { named });
            }
        }
        read
    }

    /// What is wrong with these words after `muster`.
    pub fn fault(&self, words: &[&str]) -> Option<String> {
        let is_flag = |word: &&&str| word.starts_with("--");
        for word in words.iter().filter(is_flag) {
            let name = word.trim_start_matches("--").split('=').next().unwrap_or_default();
            if !["", "help", "version"].contains(&name) && !self.flags.contains(name) {
                return Some(format!("has the flag --{name}, which no command has"));
            }
        }
        let first = words.first().filter(|word| !word.starts_with('-'))?;
        if !self.has("Command", first) {
            return Some(format!("has the command {first}, which is not there"));
        }
        let mut nested = capitalised(first);
        nested.push_str("Command");
        let second = words.get(1).filter(|word| !word.starts_with('-'));
        match (self.subcommands.contains_key(&nested), second) {
            (true, Some(second)) if !self.has(&nested, second) => {
                Some(format!("has the command {first} {second}, which is not there"))
            }
            _ => None,
        }
    }

    fn has(&self, of: &str, name: &str) -> bool {
        self.subcommands.get(of).is_some_and(|names| names.contains(name))
    }
}

fn kebab(name: &str) -> String {
    let mut text = String::new();
    for (at, character) in name.chars().enumerate() {
        if character.is_ascii_uppercase() && at > 0 {
            text.push('-');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + characters.as_str())
}

/// The keys of `config.rs`: `section.key` for each field of each section's struct. A section is a struct
/// whose documentation begins with its name in brackets.
pub fn settings_keys(source: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut section: Option<&str> = None;
    for line in source.lines() {
        if let Some(name) = line.strip_prefix("/// `[").and_then(|rest| rest.strip_suffix("]`")) {
            section = Some(name);
        } else if line == "}" {
            section = None;
        } else if let (Some(section), Some(field)) = (section, line.strip_prefix("    pub "))
            && let Some((name, _)) = field.split_once(": ")
        {
            keys.insert(format!("{section}.{name}"));
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
pub struct Cli {
    /// Folder
    #[arg(long, global = true)]
    pub data: Option<PathBuf>,
}
pub enum Command {
    /// Serve
    #[command(after_help = "Example:\n  muster serve")]
    Serve(ServeArgs),
    Report(ReportCommand),
}
pub enum ReportCommand {
    /// Run
    Run {
        kind: String,
        #[arg(long = "argument", value_name = "X")]
        arguments: Vec<String>,
    },
    ListKinds,
}
"#;

    #[test]
    fn commands_and_flags_are_found() {
        let commands = CommandLine::read(SOURCE);
        for right in
            ["serve --data x", "report run A --argument a=b", "report list-kinds", "--help", "--data=x serve"]
        {
            let words: Vec<_> = right.split(' ').collect();
            assert_eq!(commands.fault(&words), None, "{right}");
        }
        for wrong in ["sreve", "report rnu", "serve --dada x"] {
            let words: Vec<_> = wrong.split(' ').collect();
            assert!(commands.fault(&words).is_some(), "{wrong}");
        }
    }

    #[test]
    fn settings_are_found() {
        let source = "/// All settings.\npub struct Settings {\n    pub server: Server,\n}\n\n/// `[server]`\n#[derive(X)]\n\
                      pub struct Server {\n    /// Where.\n    pub listen: SocketAddr,\n    pub grace_ms: u64,\n}\n";
        let expected = ["server.grace_ms", "server.listen"].map(str::to_owned);
        assert_eq!(settings_keys(source), expected.into());
    }
}
