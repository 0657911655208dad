//! `muster keys`: the ages of all keys, and the exchange of those that sign access tokens and webhooks.

use crate::cli::KeysCommand;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_dir::{DataDir, keys_folder};
use crate::failure::Result;
use crate::installation_facts;
use crate::output::{Output, json, number, print, text};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use muster_reports::audit::AuditOperation;
use muster_reports::ports::{AuditTrail, Clock, Credentials};
use serde::Serialize;
use serde_json::json;

/// Does what `command` says.
pub async fn run(command: &KeysCommand, settings: &Settings, output: Output) -> Result {
    match command {
        KeysCommand::List => list(settings, output),
        KeysCommand::Rotate { now } => rotate_tokens(&DataDir::open(settings).await?, *now, output).await,
        KeysCommand::RotateWebhooks { days, now } => {
            let days = (!now).then_some(i64::from(*days));
            rotate_webhooks(&DataDir::open(settings).await?, days, output).await
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedKey {
    purpose: &'static str,
    file: String,
    made: Option<String>,
    age_days: Option<i64>,
    previous_until: Option<String>,
    trouble: Option<String>,
}

/// Lists the keys without reading or making one, so it needs no database.
fn list(settings: &Settings, output: Output) -> Result {
    let now = SystemClock.now();
    let folder = keys_folder(settings)?;
    let shown = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let listed: Vec<ListedKey> = installation_facts::keys(settings, &folder)?
        .into_iter()
        .map(|key| ListedKey {
            purpose: key.purpose,
            file: key.file,
            made: key.since.map(shown),
            age_days: key.since.map(|since| (now - since).num_days()),
            previous_until: key.previous_until.filter(|until| *until > now).map(shown),
            trouble: key.trouble,
        })
        .collect();
    let columns =
        [text("key of"), text("written"), number("days"), text("the one before counts until"), text("file")];
    output.list(&listed, &columns, |key| {
        let unmade = if key.trouble.is_some() { "cannot be seen here" } else { "not made yet" };
        vec![
            key.purpose.to_owned(),
            key.made.clone().unwrap_or_else(|| unmade.to_owned()),
            key.age_days.map(|days| days.to_string()).unwrap_or_default(),
            key.previous_until.clone().unwrap_or_default(),
            key.file.clone(),
        ]
    })
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
