//! Who is signed in: a bounded table in memory.
//!
//! The browser holds a random text in a cookie and nothing else. The table holds the access token under the digest of that
//! text. So signing out ends a session at once, and a restart of the service ends them all. The client's secret is not
//! kept: when its token ends, the session ends.

use crate::issuers::OfferedIssuer;
use chrono::{DateTime, TimeDelta, Utc};
use muster_wire::AuditorDescription;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sessions at a time. The session that was idle longest makes room for a new one.
const SESSIONS_MAX: usize = 10_000;

/// A signed-in client.
pub(crate) struct Session {
    /// The access token.
    pub(crate) token: String,
    /// What every form of this session repeats.
    pub(crate) form_token: String,
    /// The user's name, or the client's id.
    pub(crate) name: String,
    /// Whether it is a user. An application may not cancel, and has no saved searches.
    pub(crate) is_user: bool,
    /// What the user is in the organisation.
    pub(crate) levels: Vec<String>,
    /// The scopes of the token.
    pub(crate) scopes: Vec<String>,
    /// The limits of an auditor. Only to choose what a page offers and tells.
    pub(crate) auditor: Option<AuditorDescription>,
    /// The issuer at which somebody signed in; none for a client's id and secret.
    pub(crate) issuer: Option<OfferedIssuer>,
    /// When it ends at the latest.
    pub(crate) ends: DateTime<Utc>,
}

impl Session {
    /// Whether the token has one of these scopes. Only to choose what a page offers: the API decides.
    pub(crate) fn has(&self, scopes: &[&str]) -> bool {
        self.scopes.iter().any(|scope| scope == "sp:scopes:all" || scopes.contains(&scope.as_str()))
    }
}

/// The levels of users who may start reports and search.
const STARTING: [&str; 7] = [
    "ORG_ADMIN",
    "CERT_ADMIN",
    "REPORT_ADMIN",
    "ROLE_ADMIN",
    "ROLE_SUBADMIN",
    "SOURCE_ADMIN",
    "SOURCE_SUBADMIN",
];

/// What a page offers, so that nobody is led to what would be refused, and the audit trail has no refusals of what nobody
/// asked for. The API decides.
impl Session {
    fn is_any_of(&self, levels: &[&str]) -> bool {
        self.is_user && self.levels.iter().any(|level| levels.contains(&level.as_str()))
    }

    /// Whether reports can be started.
    pub(crate) fn may_start(&self) -> bool {
        let is_of_level = !self.is_user || self.auditor.is_some() || self.is_any_of(&STARTING);
        is_of_level && self.has(&["sp:report:manage"])
    }

    /// Whether a run can be cancelled.
    pub(crate) fn may_cancel(&self) -> bool {
        self.is_user && self.auditor.is_none() && self.has(&["sp:report:manage"])
    }

    /// Whether items of access reviews can be decided.
    pub(crate) fn may_decide(&self) -> bool {
        self.may_cancel()
    }

    /// Whether access reviews can be created, exported and closed.
    pub(crate) fn may_manage_reviews(&self) -> bool {
        self.is_any_of(&["ORG_ADMIN", "CERT_ADMIN"]) && self.has(&["sp:report:manage"])
    }

    /// Whether documents can be searched.
    pub(crate) fn may_search(&self) -> bool {
        (!self.is_user || self.is_any_of(&STARTING)) && self.has(&["sp:search:read"])
    }

    /// Whether definitions of reports can be kept.
    pub(crate) fn may_define(&self) -> bool {
        self.is_any_of(&["ORG_ADMIN", "REPORT_ADMIN"]) && self.has(&["sp:report:manage"])
    }

    /// Whether clients, the audit trail and the installation can be seen.
    pub(crate) fn may_administer(&self) -> bool {
        self.is_any_of(&["ORG_ADMIN"]) && self.has(&[])
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("name", &self.name).finish_non_exhaustive()
    }
}

type Key = [u8; 32];

struct Kept {
    session: Arc<Session>,
    used: DateTime<Utc>,
}

/// The sessions.
pub(crate) struct Sessions {
    idle: TimeDelta,
    most: usize,
    kept: Mutex<HashMap<Key, Kept>>,
}

fn key(cookie: &str) -> Key {
    Sha256::digest(cookie).into()
}

impl Sessions {
    pub(crate) fn new(idle: TimeDelta) -> Self {
        Self { idle, most: SESSIONS_MAX, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a session under the text of its cookie.
    pub(crate) fn open(&self, cookie: &str, session: Session, now: DateTime<Utc>) {
        let mut kept = self.kept();
        if kept.len() >= self.most {
            kept.retain(|_, kept| self.is_open(kept, now));
        }
        if kept.len() >= self.most
            && let Some(longest_idle) = kept.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| *key)
        {
            kept.remove(&longest_idle);
        }
        kept.insert(key(cookie), Kept { session: Arc::new(session), used: now });
    }

    fn is_open(&self, kept: &Kept, now: DateTime<Utc>) -> bool {
        now < kept.session.ends && now < kept.used + self.idle
    }

    /// The open session of a cookie, which is used now.
    pub(crate) fn used(&self, cookie: &str, now: DateTime<Utc>) -> Option<Arc<Session>> {
        self.find(cookie, now, true)
    }

    /// The open session of a cookie. This does not count as use: live updates would keep a session open for ever.
    pub(crate) fn seen(&self, cookie: &str, now: DateTime<Utc>) -> Option<Arc<Session>> {
        self.find(cookie, now, false)
    }

    fn find(&self, cookie: &str, now: DateTime<Utc>, is_use: bool) -> Option<Arc<Session>> {
        let mut kept = self.kept();
        let key = key(cookie);
        let found = kept.get_mut(&key)?;
        if !self.is_open(found, now) {
            kept.remove(&key);
            return None;
        }
        if is_use {
            found.used = now;
        }
        Some(Arc::clone(&found.session))
    }

    /// Ends the session of a cookie.
    pub(crate) fn close(&self, cookie: &str) {
        self.kept().remove(&key(cookie));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn session(name: &str, ends: i64) -> Session {
        Session {
            token: "t".into(),
            form_token: "f".into(),
            name: name.into(),
            is_user: true,
            levels: vec!["HELPDESK".into()],
            scopes: vec!["sp:report:read".into()],
            auditor: None,
            issuer: None,
            ends: at(ends),
        }
    }

    fn name(found: Option<Arc<Session>>) -> Option<String> {
        found.map(|session| session.name.clone())
    }

    /// As docs/contract.md says it.
    #[test]
    fn offers_follow_from_levels_and_scopes() {
        let with = |levels: &[&str], scopes: &[&str]| Session {
            is_user: !levels.is_empty(),
            levels: levels.iter().map(|level| (*level).to_owned()).collect(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            ..session("ann", 9)
        };
        let offers = |session: &Session| {
            let Session { .. } = session;
            [session.may_start(), session.may_search(), session.may_define(), session.may_administer()]
        };
        let all = ["sp:scopes:all"];
        assert_eq!(offers(&with(&["ORG_ADMIN"], &all)), [true; 4]);
        assert_eq!(offers(&with(&["REPORT_ADMIN"], &all)), [true, true, true, false]);
        assert_eq!(offers(&with(&["HELPDESK", "SOURCE_ADMIN"], &all)), [true, true, false, false]);
        assert_eq!(offers(&with(&["HELPDESK"], &all)), [false; 4]);
        assert_eq!(
            offers(&with(&["ORG_ADMIN"], &["sp:report:read", "sp:search:read"])),
            [false, true, false, false]
        );
        // An application has no level, and may start and search.
        assert_eq!(offers(&with(&[], &all)), [true, true, false, false]);
    }

    #[test]
    fn a_session_ends_when_it_is_idle_and_at_its_last_moment() {
        let sessions = Sessions::new(TimeDelta::minutes(30));
        sessions.open("a", session("ann", 60), at(0));
        assert_eq!(name(sessions.used("b", at(1))), None);
        assert_eq!(name(sessions.used("a", at(29))).as_deref(), Some("ann"));
        // Looking is not a use.
        assert_eq!(name(sessions.seen("a", at(58))).as_deref(), Some("ann"));
        assert_eq!(name(sessions.seen("a", at(59))), None);
        sessions.open("a", session("ann", 60), at(50));
        assert_eq!(name(sessions.used("a", at(59))).as_deref(), Some("ann"));
        assert_eq!(name(sessions.used("a", at(60))), None);
    }

    #[test]
    fn a_session_that_is_closed_is_gone() {
        let sessions = Sessions::new(TimeDelta::minutes(30));
        sessions.open("a", session("ann", 60), at(0));
        sessions.close("a");
        assert_eq!(name(sessions.used("a", at(0))), None);
    }

    #[test]
    fn the_table_has_a_bound_and_the_longest_idle_session_makes_room() {
        let sessions = Sessions { most: 2, ..Sessions::new(TimeDelta::minutes(30)) };
        sessions.open("a", session("ann", 60), at(0));
        sessions.open("b", session("bob", 60), at(1));
        assert_eq!(name(sessions.used("a", at(2))).as_deref(), Some("ann"));
        sessions.open("c", session("cyd", 60), at(3));
        let left = ["a", "b", "c"].map(|cookie| name(sessions.used(cookie, at(4))));
        assert_eq!(left, [Some("ann".to_owned()), None, Some("cyd".to_owned())]);
    }

    #[test]
    fn everything_includes_each_scope() {
        let reader = session("ann", 60);
        assert!(reader.has(&["sp:report:manage", "sp:report:read"]));
        assert!(!reader.has(&["sp:report:manage"]));
        let all = Session { scopes: vec!["sp:scopes:all".into()], ..session("ann", 60) };
        assert!(all.has(&["sp:report:manage"]));
    }
}
