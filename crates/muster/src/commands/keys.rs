//! `muster keys`: the keys that sign access tokens and webhooks.

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
    let data = DataDir::open(settings).await?;
    match command {
        KeysCommand::Rotate { now } => rotate_tokens(&data, *now, output).await,
        KeysCommand::RotateWebhooks { days, now } => {
            let days = (!now).then_some(i64::from(*days));
            rotate_webhooks(&data, days, output).await
        }
    }
}

async fn rotate_tokens(data: &DataDir, now: bool, output: Output) -> Result {
    let own = data.store.credentials(&data.tenant).await?;
    let own = own.iter().filter_map(|credential| credential.token_lifetime_s).map(u64::from);
    let longest = own.fold(data.settings.auth.token_lifetime_s, u64::max);
    let lifetime = TimeDelta::seconds(i64::try_from(longest).unwrap_or(i64::MAX));
    let details = if now { "token key exchanged, old tokens refused" } else { "token key exchanged" };
    record(data, details).await?;
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

/// `days` is how long the old secrets go on signing.
async fn rotate_webhooks(data: &DataDir, days: Option<i64>, output: Output) -> Result {
    let overlap = match days {
        Some(days) => format!("the old one signs too for {days} days"),
        None => "the old one signs nothing".to_owned(),
    };
    record(data, &format!("webhook key exchanged, {overlap}")).await?;
    data.rotate_webhook_keys(SystemClock.now(), days.map(TimeDelta::days))?;
    match output {
        Output::Json => json(&json!({ "rotated": true, "oldSecretsSignDays": days.unwrap_or(0) })),
        Output::Table => print(&format!(
            "webhooks are signed with a new key, and {overlap}; `muster notification secret` prints the new secret of an \
             address"
        )),
    }
}

async fn record(data: &DataDir, details: &str) -> Result {
    let event = data.event(AuditOperation::ConfigurationChanged, "keys", details.to_owned());
    Ok(data.store.record(&event).await?)
}
