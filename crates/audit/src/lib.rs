//! The relay: passes the audit trail on to Kafka.
//!
//! Why a crate: librdkafka is native, and no other crate may depend on it.
//!
//! Invariants:
//! - an event counts as passed on only when every in-sync replica has acknowledged it; what is marked in the store is
//!   the prefix of a tenant's events of which that is true, so nothing is lost however a relay ends;
//! - what was sent and not marked is sent again, under the same event id;
//! - an event that can never be sent is kept apart with its reason, and the log says so; it is never dropped;
//! - one relay leads at a time; a relay that has lost the lead marks nothing;
//! - no request waits for the relay: it reads what is durable already.

mod document;
mod producer;
mod settings;

pub use settings::{Properties, PropertyError, RelaySettings};

use chrono::{DateTime, Utc};
use muster_reports::audit::{AuditOperation, ChainedEvent};
use muster_reports::error::{Result, error_chain};
use muster_reports::ids::{TenantId, WorkerId};
use muster_reports::ports::{AuditTrail, Backlog, Clock, ParkedEvent, RelayLog};
use producer::{DeliveryOutcome, Producer};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// One relay of this process.
pub struct Relay {
    id: WorkerId,
    trail: Arc<dyn AuditTrail>,
    log: Arc<dyn RelayLog>,
    clock: Arc<dyn Clock>,
    settings: RelaySettings,
    producer: Producer,
}

/// The result of one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Nothing to do, or another relay leads.
    Idle,
    /// Something was passed on; there may be more.
    Busy,
    /// Something could not be passed on now.
    Failed,
}

impl Relay {
    /// A relay under the name `id`.
    ///
    /// # Errors
    /// When librdkafka does not take the properties. Whether a broker answers is not asked.
    pub fn new(
        id: WorkerId,
        trail: Arc<dyn AuditTrail>,
        log: Arc<dyn RelayLog>,
        clock: Arc<dyn Clock>,
        settings: RelaySettings,
    ) -> Result<Self, PropertyError> {
        let producer = Producer::new(&settings)?;
        Ok(Self { id, trail, log, clock, settings, producer })
    }

    /// Passes events on until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut pause = self.settings.poll;
        while !stop.is_cancelled() {
            let look = self.look(&stop).await.unwrap_or_else(|error| {
                tracing::error!(error = error_chain(&error), "the audit trail cannot be passed on");
                Look::Failed
            });
            let wait = match look {
                Look::Busy => {
                    pause = self.settings.poll;
                    continue;
                }
                Look::Idle => {
                    pause = self.settings.poll;
                    pause
                }
                Look::Failed => {
                    let wait = pause;
                    pause = (pause * 2).min(self.settings.pause_most);
                    wait
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => {}
            }
        }
        if let Err(error) = self.log.step_down(&self.id).await {
            tracing::warn!(error = error_chain(&error), "the relay's lease ends by itself");
        }
        // Dropping a producer waits for its thread.
        let producer = self.producer;
        let _ = tokio::task::spawn_blocking(move || drop(producer)).await;
    }

    /// One batch for each tenant that has events.
    async fn look(&mut self, stop: &CancellationToken) -> Result<Look> {
        if !self.lead().await? {
            return Ok(Look::Idle);
        }
        let mut look = Look::Idle;
        for backlog in self.log.backlogs().await? {
            if stop.is_cancelled() || !self.lead().await? {
                return Ok(look);
            }
            look = match (self.pass_on(&backlog, stop).await?, look) {
                (Look::Failed, _) | (_, Look::Failed) => Look::Failed,
                (Look::Busy, _) | (_, Look::Busy) => Look::Busy,
                (Look::Idle, Look::Idle) => Look::Idle,
            };
        }
        Ok(look)
    }

    /// Leads for longer than a batch may take.
    async fn lead(&self) -> Result<bool> {
        self.log.lead(&self.id, self.now(), self.settings.delivery * 2).await
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    async fn pass_on(&mut self, backlog: &Backlog, stop: &CancellationToken) -> Result<Look> {
        let tenant = &backlog.tenant;
        let events = self.trail.events(tenant, backlog.relayed, self.settings.batch_max).await?;
        let events = contiguous(tenant, backlog.relayed, events);
        if events.is_empty() {
            return Ok(Look::Failed);
        }
        let outcomes = self.producer.send(tenant, &events, stop).await;
        let mut through = backlog.relayed;
        let mut parked = Vec::new();
        let mut failure = None;
        for (event, outcome) in events.iter().zip(outcomes) {
            match outcome {
                DeliveryOutcome::Acknowledged => {}
                DeliveryOutcome::Never(reason) => {
                    tracing::error!(
                        tenant = tenant.as_str(),
                        sequence = event.sequence,
                        event = event.event.id,
                        reason,
                        "an audit event can never be passed on: it is parked"
                    );
                    parked.push(ParkedEvent { sequence: event.sequence, id: event.event.id.clone(), reason });
                }
                DeliveryOutcome::NotNow(reason) => {
                    failure = Some(reason);
                    break;
                }
            }
            through = event.sequence;
        }
        if through > backlog.relayed && !self.log.mark(&self.id, tenant, through, parked, self.now()).await? {
            tracing::warn!("another relay leads: what this one sent may be sent again, under the same ids");
            return Ok(Look::Idle);
        }
        let Some(reason) = failure else { return Ok(Look::Busy) };
        if !stop.is_cancelled() {
            tracing::warn!(tenant = tenant.as_str(), after = through, reason, "audit events wait for Kafka");
        }
        self.producer.renew_if_broken(&self.settings).await;
        Ok(Look::Failed)
    }
}

/// The events up to the first gap: what somebody removed is not passed over in silence. A reseal says that events are missing
/// before it, and is passed on itself.
fn contiguous(tenant: &TenantId, relayed: u64, mut events: Vec<ChainedEvent>) -> Vec<ChainedEvent> {
    let mut expected = relayed + 1;
    let goes_on = |event: &&ChainedEvent| {
        let reseals = event.event.operation == AuditOperation::Resealed && event.sequence > expected;
        let goes_on = event.sequence == expected || reseals;
        if goes_on {
            expected = event.sequence + 1;
        }
        goes_on
    };
    let whole = events.iter().take_while(goes_on).count();
    if whole < events.len() || events.is_empty() {
        tracing::error!(
            tenant = tenant.as_str(),
            sequence = expected,
            "an audit event is missing: the relay waits there, `muster audit verify` shows the trail's state"
        );
    }
    events.truncate(whole);
    events
}

#[cfg(test)]
mod tests;
