//! Attempts to sign in at an issuer: a bounded table in memory, until the issuer leads the browser back.
//!
//! An attempt belongs to one browser, which holds a random text in a cookie. So an address that somebody else was led back
//! to signs nobody in. It can be taken once, and only for some minutes.

use crate::issuers::SignInAttempt;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Attempts at a time. The oldest makes room for a new one.
const ATTEMPTS_MAX: usize = 10_000;
/// How long somebody may be at the issuer.
const LASTS: TimeDelta = TimeDelta::minutes(10);

struct Kept {
    issuer: String,
    browser: [u8; 32],
    attempt: SignInAttempt,
    /// The page that was asked for.
    next: String,
    begun: DateTime<Utc>,
}

/// The attempts, by their states.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<HashMap<String, Kept>>);

impl Attempts {
    /// Keeps an attempt of the browser that holds this text.
    pub(crate) fn begin(
        &self,
        issuer: &str,
        browser: &str,
        attempt: SignInAttempt,
        next: &str,
        now: DateTime<Utc>,
    ) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= ATTEMPTS_MAX {
            kept.retain(|_, kept| now < kept.begun + LASTS);
        }
        if kept.len() >= ATTEMPTS_MAX
            && let Some(oldest) =
                kept.iter().min_by_key(|(_, kept)| kept.begun).map(|(state, _)| state.clone())
        {
            kept.remove(&oldest);
        }
        let (state, browser) = (attempt.state.clone(), Sha256::digest(browser).into());
        kept.insert(state, Kept { issuer: issuer.into(), browser, attempt, next: next.into(), begun: now });
    }

    /// The attempt with this state at this issuer, and the page that was asked for. Another browser's stays.
    pub(crate) fn take(
        &self,
        issuer: &str,
        browser: &str,
        state: &str,
        now: DateTime<Utc>,
    ) -> Option<(SignInAttempt, String)> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(state)?;
        let browser: [u8; 32] = Sha256::digest(browser).into();
        if found.browser != browser || found.issuer != issuer {
            return None;
        }
        let found = kept.remove(state)?;
        (now < found.begun + LASTS).then_some((found.attempt, found.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn attempt(state: &str) -> SignInAttempt {
        SignInAttempt { state: state.into(), nonce: "n".into(), verifier: "v".into() }
    }

    #[test]
    fn an_attempt_is_of_one_browser_and_one_issuer_and_works_once() {
        let attempts = Attempts::default();
        attempts.begin("corp", "mine", attempt("s"), "/ui/runs", at(0));
        let take = |issuer, browser, state, now| attempts.take(issuer, browser, state, at(now));
        assert!(take("corp", "another's", "s", 1).is_none());
        assert!(take("other", "mine", "s", 1).is_none());
        assert!(take("corp", "mine", "t", 1).is_none());
        assert_eq!(take("corp", "mine", "s", 599), Some((attempt("s"), "/ui/runs".into())));
        assert!(take("corp", "mine", "s", 599).is_none(), "it works once");
        attempts.begin("corp", "mine", attempt("s"), "/ui/runs", at(0));
        assert!(take("corp", "mine", "s", 600).is_none(), "it lasts ten minutes");
    }
}
