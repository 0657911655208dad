//! Notifications: the entries of `notify` lists in bodies, and routes of our own.

use crate::access::{Allowed, ManageSchedules, ReadSchedules};
use crate::failure::{Failure, json};
use crate::input::{Id, json_type};
use crate::openapi::answers::NotFound;
use crate::state::AppState;
use crate::task_json::timestamp;
use axum::http::StatusCode;
use axum::response::Response;
use muster_reports::notification::Notification;
use muster_reports::notify::{Notify, Occasion, Recipient};
use muster_wire::{NotificationDescription, NotifyDetails};
use serde_json::Value;

/// The entries of a `notify` list; absent and null are the same as none.
pub(crate) fn entries(value: Option<&Value>) -> Result<Vec<Notify>, Failure> {
    let list = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(other) => {
            return Err(Failure::invalid(format!("notify is {}: expected a list", json_type(other))));
        }
    };
    let entry = |(at, value): (usize, &Value)| {
        serde_json::from_value(value.clone())
            .map_err(|error| Failure::invalid(format!("notify[{at}]: {error}")))
    };
    list.iter().enumerate().map(entry).collect()
}

/// An entry as answers have it.
pub(crate) fn described(notify: &Notify) -> NotifyDetails {
    let (email, webhook) = match &notify.to {
        Recipient::Email(address) => (Some(address.clone()), None),
        Recipient::Webhook(address) => (None, Some(address.clone())),
    };
    NotifyDetails {
        email,
        webhook,
        on: Some(notify.on.iter().copied().map(Occasion::as_str).map(str::to_owned).collect()),
        empty_results: Some(notify.empty_results),
        query_details: Some(notify.query_details),
        attach: notify.attach.map(|format| format.as_str().to_owned()),
    }
}

fn description(notification: &Notification) -> NotificationDescription {
    let notice = match serde_json::to_value(&notification.notice) {
        Ok(Value::Object(notice)) => notice,
        Ok(_) | Err(_) => serde_json::Map::new(),
    };
    NotificationDescription {
        id: notification.id.clone(),
        channel: notification.to.channel().into(),
        recipient: notification.to.shown().to_owned(),
        client_id: notification.client.to_string(),
        state: notification.state.as_str().into(),
        attempts: notification.attempts,
        error: notification.error.clone(),
        created: timestamp(notification.created),
        next: notification.next.map(timestamp),
        ended: notification.ended.map(timestamp),
        notice,
    }
}

/// List the notifications
///
/// The last notifications of the caller's credential, the last one first; of all of the tenant for an administrator of the
/// organisation. One that was sent is listed for 30 days.
#[utoipa::path(
    get,
    path = "/muster/v1/notifications",
    operation_id = "listNotifications",
    tag = "Muster",
    responses((status = 200, description = "The notifications.", body = Vec<NotificationDescription>)),
)]
pub(crate) async fn list_notifications(
    Allowed { caller, .. }: Allowed<ReadSchedules>,
    state: AppState,
    (): (),
) -> Result<Response, Failure> {
    let listed = state.notifications().list(&caller).await?;
    Ok(json(StatusCode::OK, &listed.iter().map(description).collect::<Vec<_>>()))
}

/// Send a notification again
///
/// A notification that was given up is delivered again, under the same id and with all attempts.
#[utoipa::path(
    post,
    path = "/muster/v1/notifications/{id}/retry",
    operation_id = "retryNotification",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the notification.")),
    responses((status = 200, description = "The notification.", body = NotificationDescription), NotFound),
)]
pub(crate) async fn retry_notification(
    Allowed { caller, .. }: Allowed<ManageSchedules>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    Ok(json(StatusCode::OK, &description(&state.notifications().retry(&caller, &id).await?)))
}
