//! What the pages share.

use crate::api::Api;
use crate::attempts::Attempts;
use crate::issuers::SignInIssuers;
use crate::session::Sessions;
use crate::settings::{ConsoleSettings, OneTimeSignIn};
use axum::Router;
use chrono::{DateTime, Utc};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Streams of live updates at a time. Each holds a connection.
const STREAMS_MAX: usize = 200;

/// What the pages share; cheap to clone.
#[derive(Clone)]
pub(crate) struct Console(Arc<Inner>);

struct Inner {
    api: Api,
    settings: ConsoleSettings,
    sessions: Sessions,
    attempts: Attempts,
    streams: Arc<Semaphore>,
    one_time: Mutex<Option<OneTimeSignIn>>,
}

impl Console {
    pub(crate) fn new(api: Router, settings: ConsoleSettings) -> Self {
        let (sessions, one_time) = (Sessions::new(settings.idle), Mutex::new(settings.one_time.clone()));
        Self(Arc::new(Inner {
            api: Api(api),
            sessions,
            attempts: Attempts::default(),
            one_time,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            settings,
        }))
    }

    pub(crate) fn api(&self) -> &Api {
        &self.0.api
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// Attempts to sign in at an issuer.
    pub(crate) fn attempts(&self) -> &Attempts {
        &self.0.attempts
    }

    /// The issuers at which people sign in.
    pub(crate) fn issuers(&self) -> &dyn SignInIssuers {
        &*self.0.settings.issuers
    }

    /// Room for streams of live updates.
    pub(crate) fn streams(&self) -> &Arc<Semaphore> {
        &self.0.streams
    }

    pub(crate) fn settings(&self) -> &ConsoleSettings {
        &self.0.settings
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.0.settings.now)()
    }

    /// A text that nobody can guess: 256 bits.
    pub(crate) fn secret(&self) -> String {
        (self.0.settings.fresh)() + &(self.0.settings.fresh)()
    }

    /// The sign-in of this code, which works only once.
    pub(crate) fn take_one_time(&self, code: &str) -> Option<OneTimeSignIn> {
        let mut kept = self.0.one_time.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take_if(|kept| !kept.code.is_empty() && kept.code == code)
    }
}
