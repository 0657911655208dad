//! What the console is made with.

use crate::issuers::SignInIssuers;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Settings of the console. Time and randomness come in as functions, so that tests fix them.
#[derive(Clone)]
pub struct ConsoleSettings {
    /// Now, in UTC.
    pub now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// A text of at least 128 random bits in lower-case hex digits.
    pub fresh: Arc<dyn Fn() -> String + Send + Sync>,
    /// A session ends this long after its last page.
    pub idle: TimeDelta,
    /// A session ends this long after its sign-in, or earlier with its access token.
    pub longest: TimeDelta,
    /// How long a page may take to be made.
    pub page_timeout: Duration,
    /// Ends the streams of live updates when the service stops.
    pub stopping: CancellationToken,
    /// The issuers at which people sign in by OpenID Connect.
    pub issuers: Arc<dyn SignInIssuers>,
    /// A sign-in that works once, without credentials in the browser.
    pub one_time: Option<OneTimeSignIn>,
}

impl fmt::Debug for ConsoleSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleSettings")
            .field("idle", &self.idle)
            .field("longest", &self.longest)
            .field("page_timeout", &self.page_timeout)
            .finish_non_exhaustive()
    }
}

/// A sign-in that works once: `/ui/sign-in/once/` and its code.
#[derive(Clone)]
pub struct OneTimeSignIn {
    /// What nobody can guess: hex digits.
    pub code: String,
    /// The client that is signed in.
    pub client_id: String,
    /// Its secret. It is forgotten when the link has been used.
    pub client_secret: String,
}

impl fmt::Debug for OneTimeSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneTimeSignIn").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
