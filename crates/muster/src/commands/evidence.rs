//! `muster evidence`: the key of this service's evidence packages.

use crate::cli::EvidenceCommand;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::Result;
use crate::output::{Output, json, print};
use serde_json::json;

/// Does what `command` says.
pub async fn run(command: &EvidenceCommand, settings: &Settings, output: Output) -> Result {
    match command {
        EvidenceCommand::Key => key(&DataDir::open(settings).await?, output),
    }
}

fn key(data: &DataDir, output: Output) -> Result {
    let key = data.evidence_key()?.public();
    match output {
        Output::Json => json(&json!({ "publicKey": key.to_pem(), "fingerprint": key.fingerprint() })),
        // Readers of PEM ignore text outside the block.
        Output::Table => print(&format!("{}SHA-256 of its DER form: {}", key.to_pem(), key.fingerprint())),
    }
}
