//! Whether the credential that a token was issued to is still valid.
//!
//! Why the answer is remembered: every request has a token, and the store need not be asked each time.

use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::ids::ClientId;
use muster_reports::ports::Credentials;
use muster_reports::{Caller, Result};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How long the answer of the store about one credential is used.
const CREDENTIAL_AGE_MAX: TimeDelta = TimeDelta::seconds(3);

/// Whether the credentials of tokens are still valid, remembered for a few seconds.
pub(crate) struct CredentialCheck {
    clients_max: usize,
    answers: Mutex<HashMap<ClientId, (DateTime<Utc>, bool)>>,
}

impl CredentialCheck {
    pub(crate) fn new(clients_max: usize) -> Self {
        Self { clients_max, answers: Mutex::default() }
    }

    /// Whether the store has the credential of `caller`, enabled and of the same tenant.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn is_valid(
        &self,
        credentials: &dyn Credentials,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        if let Some(known) = self.remembered(&caller.client, now) {
            return Ok(known);
        }
        let kept = credentials.credential(&caller.client).await?;
        let valid = kept.is_some_and(|kept| kept.enabled && kept.caller.tenant == caller.tenant);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= self.clients_max {
            answers.clear();
        }
        answers.insert(caller.client.clone(), (now, valid));
        Ok(valid)
    }

    fn remembered(&self, client: &ClientId, now: DateTime<Utc>) -> Option<bool> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, valid) = answers.get(client)?;
        (*at <= now && now - *at < CREDENTIAL_AGE_MAX).then_some(*valid)
    }
}
