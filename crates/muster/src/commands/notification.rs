//! `muster notification`: who was told of runs that have ended.

use crate::cli::NotificationCommand;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::{Failure, Result};
use crate::output::{Output, json, number, print, text};
use chrono::{DateTime, SecondsFormat, Utc};
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::notification::{DeliveryState, Notification};
use muster_reports::notify::Recipient;
use muster_reports::ports::NotificationStore;
use muster_reports::service::not_failed;
use serde::Serialize;

/// Notifications that `list` looks at.
const LISTED_MAX: u32 = 1_000;

/// Does what `command` says.
pub async fn run(command: &NotificationCommand, settings: &Settings, output: Output) -> Result {
    let data = DataDir::open(settings).await?;
    match command {
        NotificationCommand::List { failed } => list(&data, *failed, output).await,
        NotificationCommand::Retry { id } => retry(&data, id).await,
        NotificationCommand::Secret { url } => secret(&data, url, output),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    channel: &'static str,
    recipient: String,
    about: String,
    kind: String,
    task_result_id: Option<String>,
    state: &'static str,
    attempts: u32,
    created: String,
    next: Option<String>,
    ended: Option<String>,
    error: Option<String>,
}

impl Listed {
    fn of(notification: Notification) -> Self {
        let when = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let data = notification.notice.data;
        Self {
            channel: notification.to.channel(),
            recipient: notification.to.shown().to_owned(),
            about: data.schedule.map_or(data.name, |schedule| schedule.name),
            kind: notification.notice.kind,
            task_result_id: data.task_result_id.map(|id| id.to_string()),
            state: notification.state.as_str(),
            attempts: notification.attempts,
            created: when(notification.created),
            next: notification.next.map(when),
            ended: notification.ended.map(when),
            error: notification.error,
            id: notification.id,
        }
    }
}

async fn list(data: &DataDir, failed: bool, output: Output) -> Result {
    let all = data.store.notifications(&data.tenant, None, LISTED_MAX).await?;
    let wanted = all.into_iter().filter(|kept| !failed || kept.state == DeliveryState::Failed);
    let listed: Vec<_> = wanted.map(Listed::of).collect();
    let columns = [
        text("id"),
        text("recipient"),
        text("about"),
        text("what"),
        text("state"),
        number("attempts"),
        text("created"),
        text("error"),
    ];
    output.list(&listed, &columns, |listed| {
        vec![
            listed.id.clone(),
            listed.recipient.clone(),
            listed.about.clone(),
            listed.kind.clone(),
            listed.state.to_owned(),
            listed.attempts.to_string(),
            listed.created.clone(),
            listed.error.clone().unwrap_or_default(),
        ]
    })
}

async fn retry(data: &DataDir, id: &str) -> Result {
    let absent = || {
        Failure::not_found(format!("there is no notification {id:?}; `muster notification list` lists them"))
    };
    let kept = data.store.notification(&data.tenant, id).await?.ok_or_else(absent)?;
    let details = format!("notification {id} sent again by hand");
    let event = data.event(AuditOperation::ConfigurationChanged, &kept.notice.data.name, details);
    let event = match &kept.notice.data.task_result_id {
        Some(task) => AuditEvent { task: task.clone(), ..event },
        None => event,
    };
    if !data.store.retry_notification(id, &event).await? {
        return Err(not_failed(&kept).into());
    }
    print(&format!("notification {id} is sent again; `muster notification list` shows what becomes of it"))
}

fn secret(data: &DataDir, url: &str, output: Output) -> Result {
    #[derive(Serialize)]
    struct Secret<'a> {
        url: &'a str,
        secret: String,
    }
    Recipient::webhook(url)?;
    let keys = (data.webhook_keys()?)()?;
    let secret = keys.current.shown_secret(&data.tenant, url);
    match output {
        Output::Json => json(&Secret { url, secret }),
        Output::Table => print(&secret),
    }
}
