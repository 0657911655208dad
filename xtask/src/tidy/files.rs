//! The repository's text files, as git knows them: committed or about to be, and nothing that it ignores.

use muster_harness::command;
use muster_harness::failure::Result;
use muster_harness::workspace::Workspace;
use std::collections::BTreeMap;
use std::process::Command;

/// Every text file by its path from the root, with `/` between folders.
#[derive(Debug, Default)]
pub struct Files {
    /// Text by path.
    pub texts: BTreeMap<String, String>,
}

impl Files {
    /// Asks git and reads. A file that is not UTF-8 has no text: it is there and counts as empty.
    pub fn read(workspace: &Workspace) -> Result<Self> {
        let mut ask = Command::new("git");
        ask.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&workspace.root);
        let mut texts = BTreeMap::new();
        for path in command::output(&mut ask)?.split_terminator('\0') {
            // A file that git still lists and that has been removed has nothing to check.
            if let Ok(bytes) = std::fs::read(workspace.root.join(path)) {
                texts.insert(path.to_owned(), String::from_utf8(bytes).unwrap_or_default());
            }
        }
        Ok(Self { texts })
    }

    /// Files whose path ends like this.
    pub fn ending(&self, end: &str) -> impl Iterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .filter(move |(path, _)| path.ends_with(end))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }
}
