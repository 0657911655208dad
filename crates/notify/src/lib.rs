//! Delivers notifications of runs that have ended: e-mail over SMTP, and webhooks.
//!
//! Why a crate: lettre faces the outside world, and addresses that users choose are called only here, behind one check.
//!
//! Invariants:
//! - A notification is taken from the outbox with a lease, and its outcome is kept under the lease's epoch. Any number of nodes
//!   may deliver; one has a notification at a time.
//! - A notification is delivered at least once, always under its id. Only a node that dies between the recipient's answer and
//!   the record of it, or a recipient whose answer is lost, leads to a second delivery.
//! - A file is attached only if the client that asked for it may download it now, and after an audit event about it is
//!   durable.
//! - No report waits for a delivery.

mod addresses;
mod mail;
mod outcome;
mod text;
mod webhook;

pub use mail::{MailSettings, MailTls, Mailer};
pub use webhook::{WebhookKey, WebhookKeyRing, WebhookKeys, Webhooks};

use chrono::TimeDelta;
use mail::{Attached, Letter};
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::caller::{Caller, Operation};
use muster_reports::error::{Result, error_chain};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::kind::FileFormat;
use muster_reports::notification::{DeliveryAttempts, DeliveryStep, Notice, Notification, NotificationClaim};
use muster_reports::notify::Recipient;
use muster_reports::ports::{AuditTrail, Clock, Credentials, FileOpener, Ids, NotificationStore, TaskStore};
use muster_reports::task::{PublishedFile, Task};
use muster_reports::trace::{TARGET, Trace, Traces};
use outcome::Outcome;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::field::Empty;
use tracing::{Instrument, Span};

/// Most deliveries of one node at a time.
const DELIVERIES_MAX: usize = 8;
/// How long a notification belongs to a node; longer than any delivery takes.
const LEASE: Duration = Duration::from_secs(90);

/// Rhythm and limits.
#[derive(Debug, Clone)]
pub struct DelivererSettings {
    /// How often it looks for what is to be delivered.
    pub poll: Duration,
    /// How deliveries are tried again.
    pub attempts: DeliveryAttempts,
    /// The service's address in links, without a slash at the end; no links if there is none.
    pub public_url: Option<String>,
    /// Largest file that is attached, in bytes; 0 for none.
    pub attachment_bytes_max: u64,
}

/// What delivers the notifications of one node.
pub struct Deliverer {
    /// Notifications.
    pub store: Arc<dyn NotificationStore>,
    /// Tasks, whose files are attached.
    pub tasks: Arc<dyn TaskStore>,
    /// The clients that asked, as they are now.
    pub credentials: Arc<dyn Credentials>,
    /// Published files.
    pub files: Arc<dyn FileOpener>,
    /// The audit trail.
    pub audit: Arc<dyn AuditTrail>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids of audit events.
    pub ids: Arc<dyn Ids>,
    /// Sends the spans of deliveries.
    pub traces: Arc<dyn Traces>,
    /// Sends mail, if the settings name a server.
    pub mailer: Option<Mailer>,
    /// Sends webhooks.
    pub webhooks: Webhooks,
    /// Rhythm and limits.
    pub settings: DelivererSettings,
}

impl Deliverer {
    /// Delivers until `stop` is cancelled; deliveries that have begun may end.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut deliveries = JoinSet::new();
        while !stop.is_cancelled() {
            if let Err(error) = self.take(&mut deliveries).await {
                tracing::error!(error = error_chain(&error), "notifications cannot be read");
            }
            tokio::select! {
                // One that has ended leaves room for another.
                Some(_) = deliveries.join_next() => {}
                () = tokio::time::sleep(self.settings.poll) => {}
                () = stop.cancelled() => {}
            }
        }
        while deliveries.join_next().await.is_some() {}
    }

    /// Begins deliveries that are due, as far as there is room.
    async fn take(self: &Arc<Self>, deliveries: &mut JoinSet<()>) -> Result<()> {
        while deliveries.len() < DELIVERIES_MAX {
            let claimed = self.store.claim_notification(self.clock.now(), LEASE).await?;
            let Some(claim) = claimed else { break };
            let deliverer = self.clone();
            deliveries.spawn(async move {
                if let Err(error) = deliverer.deliver(&claim).await {
                    // The lease runs out, and a node takes the notification again.
                    tracing::error!(
                        notification = claim.notification.id,
                        error = error_chain(&error),
                        "the outcome of a delivery cannot be kept"
                    );
                }
            });
        }
        Ok(())
    }

    /// Delivers one notification and keeps the outcome, as a part of the trace of the request that started the report.
    async fn deliver(&self, claim: &NotificationClaim) -> Result<()> {
        let Notification { notice, to, attempts, .. } = &claim.notification;
        let span = tracing::info_span!(
            target: TARGET, parent: None, "deliver", task = Empty, channel = to.channel(), attempt = attempts, end = Empty
        );
        if let Some(task) = &notice.data.task_result_id {
            span.record("task", task.as_str());
        }
        let trace = self.trace(&claim.notification).await?;
        if let Some(trace) = &trace {
            span.in_scope(|| self.traces.follow(trace));
        }
        self.deliver_within(claim, trace.as_ref()).instrument(span).await
    }

    /// The trace of the request that started the report.
    async fn trace(&self, notification: &Notification) -> Result<Option<Trace>> {
        let Some(id) = &notification.notice.data.task_result_id else { return Ok(None) };
        let task = self.tasks.task(&notification.tenant, id).await?;
        Ok(task.and_then(|task| task.requester.trace))
    }

    async fn deliver_within(&self, claim: &NotificationClaim, trace: Option<&Trace>) -> Result<()> {
        let Notification { id, to, attempts, .. } = &claim.notification;
        let outcome = self.attempt(&claim.notification, trace).await;
        let now = self.clock.now();
        // Not the recipient, who is a person: the list of notifications has it.
        let channel = to.channel();
        let step = match outcome {
            Outcome::Sent => {
                reached(Failpoint::NotificationDelivered);
                tracing::info!(notification = id, channel, attempts, "notification sent");
                DeliveryStep::Sent
            }
            Outcome::NotNow(reason) => self.settings.attempts.after_failure(*attempts, reason, now),
            Outcome::Never(reason) => DeliveryStep::Failed { reason },
        };
        match &step {
            DeliveryStep::Sent => {}
            DeliveryStep::Retry { reason, not_before } => tracing::warn!(
                notification = id, channel, attempts, reason = without_addresses(reason), %not_before,
                "notification not sent yet"
            ),
            DeliveryStep::Failed { reason } => {
                let reason = without_addresses(reason);
                tracing::error!(notification = id, channel, attempts, reason, "notification given up");
            }
        }
        let end = match &step {
            DeliveryStep::Sent => "sent",
            DeliveryStep::Retry { .. } => "retry",
            DeliveryStep::Failed { .. } => "failed",
        };
        Span::current().record("end", end);
        if !self.store.step_notification(claim, &step, now).await? {
            tracing::warn!(notification = id, "another node has the notification: it may be delivered again");
        }
        Ok(())
    }

    async fn attempt(&self, notification: &Notification, trace: Option<&Trace>) -> Outcome {
        let Notification { id, tenant, to, .. } = notification;
        let notice = self.linked(&notification.notice);
        match to {
            Recipient::Webhook(address) => match serde_json::to_string(&notice) {
                Ok(body) => self.webhooks.send(tenant, address, (id, body), trace, self.clock.now()).await,
                Err(error) => Outcome::Never(format!("the body cannot be made: {error}")),
            },
            Recipient::Email(address) => {
                let Some(mailer) = &self.mailer else {
                    return Outcome::Never(
                        "there is no mail server: expected the setting mail.server".into(),
                    );
                };
                let (attachment, about) = match notification.attach {
                    None => (None, None),
                    Some(format) => match self.attachment(notification, format).await {
                        Ok(Ok(file)) => (Some(file), Some(format!("The {format} file is attached."))),
                        Ok(Err(why)) => (None, Some(format!("The {format} file is not attached: {why}."))),
                        Err(error) => return Outcome::NotNow(error.message),
                    },
                };
                let letter = Letter {
                    id: id.clone(),
                    at: self.clock.now(),
                    to: address.clone(),
                    subject: text::subject(&notice),
                    text: text::body(&notice, about.as_deref()),
                    attachment,
                };
                mailer.send(letter).await
            }
        }
    }

    /// The same with links to the files.
    fn linked(&self, notice: &Notice) -> Notice {
        let mut notice = notice.clone();
        if let (Some(base), Some(id)) = (&self.settings.public_url, &notice.data.task_result_id) {
            for file in &mut notice.data.files {
                let format = file.format.extension();
                file.link = Some(format!("{base}/muster/v1/reports/{id}/files/{format}"));
            }
        }
        notice
    }

    /// The file of a notification, or why it is not attached. That it is attached is recorded when this returns.
    ///
    /// # Errors
    /// When the store cannot be asked, or the event not be recorded.
    async fn attachment(
        &self,
        notification: &Notification,
        format: FileFormat,
    ) -> Result<Result<Attached, String>> {
        let Some(id) = &notification.notice.data.task_result_id else {
            return Ok(Err("there is none".into()));
        };
        let task = self.tasks.task(&notification.tenant, id).await?;
        let Some((task, file)) = task.and_then(|task| file_of(task, format)) else {
            return Ok(Err("the report has none".into()));
        };
        if file.bytes > self.settings.attachment_bytes_max {
            return Ok(Err(format!(
                "it has {} bytes, and at most {} are attached",
                file.bytes, self.settings.attachment_bytes_max
            )));
        }
        let caller = match self.downloader(notification, &task).await? {
            Ok(caller) => caller,
            Err(why) => return Ok(Err(why)),
        };
        let (files, name, digest) = (self.files.clone(), file.stored_name.clone(), file.sha256.clone());
        let limit = file.bytes;
        let read = tokio::task::spawn_blocking(move || -> std::io::Result<Option<Vec<u8>>> {
            let mut bytes = Vec::new();
            let file = files.open(&name, None).map_err(std::io::Error::other)?;
            file.content.take(limit + 1).read_to_end(&mut bytes)?;
            let is_whole = muster_reports::ids::hex(Sha256::digest(&bytes)) == digest;
            Ok(is_whole.then_some(bytes))
        });
        let bytes = match read.await {
            Ok(Ok(Some(bytes))) => bytes,
            Ok(Ok(None)) => return Ok(Err("it is damaged".into())),
            Ok(Err(_)) | Err(_) => return Ok(Err("it cannot be read, or has expired".into())),
        };
        self.audit
            .record(&AuditEvent {
                id: self.ids.fresh(),
                at: self.clock.now(),
                operation: AuditOperation::Download,
                caller,
                task: task.id.clone(),
                report: task.name.clone(),
                details: format!(
                    "{format} sha-256 {}; mailed to {} as notification {}",
                    file.sha256,
                    notification.to.shown(),
                    notification.id
                ),
            })
            .await?;
        let name = text::file_name(&task.name, &file.extension);
        Ok(Ok(Attached { name, media_type: file.media_type, bytes }))
    }

    /// The client that asked for a notification, if it may download the task's files now.
    async fn downloader(&self, notification: &Notification, task: &Task) -> Result<Result<Caller, String>> {
        let client = &notification.client;
        let credential = self.credentials.credential(client).await?;
        let credential = credential.filter(|known| known.enabled && known.caller.tenant == task.tenant);
        let Some(caller) = credential.map(|known| known.caller) else {
            return Ok(Err(format!("the client {client} is gone or disabled")));
        };
        let may = caller.authorise(Operation::Download).is_ok()
            && caller.scope().covers(&task.requester.data_scope);
        Ok(if may { Ok(caller) } else { Err(format!("the client {client} may not download it")) })
    }
}

fn file_of(task: Task, format: FileFormat) -> Option<(Task, PublishedFile)> {
    let files = task.result.as_ref().map_or(&[][..], |result| &result.files);
    let file = files.iter().find(|file| file.format == format).cloned()?;
    Some((task, file))
}

impl DelivererSettings {
    /// Attempts as the settings of the service have them: their number, and the first pause in seconds.
    pub fn attempts(most: u32, pause_s: u64) -> DeliveryAttempts {
        let pause = TimeDelta::seconds(i64::try_from(pause_s).unwrap_or(i64::MAX).min(3_600));
        DeliveryAttempts { most, pause, pause_most: PAUSE_MOST.max(pause) }
    }
}

/// The longest pause between two attempts.
const PAUSE_MOST: TimeDelta = TimeDelta::hours(1);

/// What the log says of a reason: a mail server names the recipient in its answer.
fn without_addresses(reason: &str) -> String {
    let word = |word| if str::contains(word, '@') { "(address)" } else { word };
    reason.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
