//! `muster keys`: the keys that sign access tokens.

use crate::cli::KeysCommand;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::Result;
use crate::output::{Output, json, print};
use chrono::TimeDelta;
use muster_reports::audit::AuditOperation;
use muster_reports::ports::{AuditTrail, Clock, Credentials};
use serde_json::json;

/// Does what `command` says.
pub async fn run(command: &KeysCommand, settings: &Settings, output: Output) -> Result {
    match command {
        KeysCommand::Rotate { now } => {
            let data = DataDir::open(settings).await?;
            let own = data.store.credentials(&data.tenant).await?;
            let own = own.iter().filter_map(|credential| credential.token_lifetime_s).map(u64::from);
            let longest = own.fold(settings.auth.token_lifetime_s, u64::max);
            let lifetime = TimeDelta::seconds(i64::try_from(longest).unwrap_or(i64::MAX));
            let details =
                if *now { "token key exchanged, old tokens refused" } else { "token key exchanged" };
            data.store
                .record(&data.event(AuditOperation::ConfigurationChanged, "keys", details.into()))
                .await?;
            data.rotate_token_keys(SystemClock.now(), (!now).then_some(lifetime))?;
            match (output, now) {
                (Output::Json, _) => json(&json!({ "rotated": true, "oldTokensAccepted": !now })),
                (Output::Table, false) => {
                    print("tokens are signed with a new key; those that are out stay good until they expire")
                }
                (Output::Table, true) => {
                    print("tokens are signed with a new key; those that are out are refused from now on")
                }
            }
        }
    }
}
