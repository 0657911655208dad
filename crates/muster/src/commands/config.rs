//! `muster config`: the settings in force.

use crate::cli::ConfigCommand;
use crate::config::Effective;
use crate::failure::Result;
use crate::output::{Output, text};

/// Does what `command` says.
pub fn run(command: &ConfigCommand, effective: &Effective, output: Output) -> Result {
    match command {
        ConfigCommand::Show => {
            let columns = [text("setting"), text("value"), text("origin")];
            output.list(&effective.rows(), &columns, |row| {
                vec![row.key.clone(), row.value.to_string(), row.origin.clone()]
            })
        }
    }
}
