//! The read of a service: pages of users to account records.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::service::{Credentials, Page, Refusal, Service};
use super::{GroupsFrom, Paging, ScimSettings, values};
use crate::account::{AccountSink, Record};
use crate::reader::{ReadError, RecordReader};
use crate::remote::{Feed, RemoteReader, Stop};
use crate::secret::{self, Environment};

/// Opens a service for one full read.
///
/// # Errors
/// The settings are faulty or the credentials cannot be had; all else comes with the first batch.
pub(crate) fn open(
    settings: &ScimSettings,
    base_dir: &Path,
    environment: Environment<'_>,
) -> Result<Box<dyn RecordReader>, ReadError> {
    if let Some((key, reason)) = settings.fault() {
        return Err(ReadError::Settings { path: settings.url.clone(), reason: format!("{key}: {reason}") });
    }
    let read = |key, file: &Option<String>, variable: &Option<String>| {
        secret::read(key, file.as_deref(), variable.as_deref(), base_dir, environment)
    };
    let token = read("token", &settings.token_file, &settings.token_env)?;
    let password = read("password", &settings.password_file, &settings.password_env)?;
    let credentials = match (token, settings.user.clone(), password) {
        (Some(token), _, _) => Credentials::Token(token),
        (None, Some(user), Some(password)) => Credentials::Password(user, password),
        (None, _, _) => Credentials::None,
    };
    let service = Service::new(settings, base_dir, &credentials)?;
    let sink = AccountSink::new(settings.account.clone());
    let settings = settings.clone();
    let time_limit = Duration::from_secs(settings.total_timeout_s);
    RemoteReader::start(settings.url.clone(), time_limit, sink, async move |feed| {
        Read { settings: &settings, service: &service, total: None, seen: 0 }.all(feed).await
    })
}

/// A read in progress.
struct Read<'a> {
    settings: &'a ScimSettings,
    service: &'a Service,
    /// What the service reported first.
    total: Option<u64>,
    seen: u64,
}

impl Read<'_> {
    async fn all(&mut self, feed: &mut Feed) -> Result<(), Stop> {
        let mut cursor = String::new();
        loop {
            let page = self.service.page("/Users", &self.query(&cursor)).await;
            let page = page.map_err(|refusal| self.stop(refusal))?;
            self.check_total(&page, feed)?;
            let count = (page.resources.len() + page.broken) as u64;
            self.seen += count;
            for _ in 0..page.broken {
                feed.sink.reject(0, None, "the resource is not a JSON object".to_owned());
            }
            for user in page.resources {
                self.account(user, feed).await?;
            }
            match (self.settings.paging, page.next_cursor) {
                (Paging::Cursor, Some(next)) if next != cursor => cursor = next,
                (Paging::Cursor, Some(_)) => {
                    return Err(Stop::Incomplete("the service gave the same cursor again".to_owned()));
                }
                (Paging::Cursor, None) => break,
                (Paging::Index, _) if count == 0 || self.total.is_some_and(|total| self.seen >= total) => {
                    break;
                }
                (Paging::Index, _) => {}
            }
        }
        match self.total {
            Some(total) if total != self.seen => Err(Stop::Incomplete(format!(
                "the service gave {} users of the {total} that it reports",
                self.seen
            ))),
            None if self.settings.paging == Paging::Index => {
                Err(Stop::Incomplete("the service does not report how many users there are".to_owned()))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn query(&self, cursor: &str) -> Vec<(&'static str, String)> {
        let settings = self.settings;
        let mut query = vec![("count", settings.page_size.to_string())];
        match settings.paging {
            Paging::Index => query.push(("startIndex", (self.seen + 1).to_string())),
            Paging::Cursor => query.push(("cursor", cursor.to_owned())),
        }
        query.extend(settings.filter.clone().map(|filter| ("filter", filter)));
        query.extend(settings.sort_by.clone().map(|attribute| ("sortBy", attribute)));
        query
    }

    /// A total that changes means users that came or went between two pages, and with them places.
    fn check_total(&mut self, page: &Page, feed: &mut Feed) -> Result<(), Stop> {
        let Some(total) = page.total else { return Ok(()) };
        match self.total {
            None => {
                self.total = Some(total);
                feed.sink.reported_total = Some(total);
                Ok(())
            }
            Some(first) if first == total => Ok(()),
            Some(first) => Err(Stop::Incomplete(format!(
                "the service reported {first} users at first and {total} later"
            ))),
        }
    }

    async fn account(&self, user: Map<String, Value>, feed: &mut Feed) -> Result<(), Stop> {
        let is_disabled = user.get("active").and_then(Value::as_bool) == Some(false);
        let id = user.get("id").and_then(Value::as_str).map(str::to_owned);
        let mut fields = values::flatten(user);
        if self.settings.groups == GroupsFrom::Search
            && let Some(id) = id
        {
            let groups = self.groups_of(&id).await?;
            fields.retain(|(name, _)| name != "groups" && name != "groups.display");
            let (ids, displays) = groups.into_iter().unzip();
            fields.push(("groups".to_owned(), ids));
            fields.push(("groups.display".to_owned(), displays));
        }
        feed.push(Record { line: 0, fields, flags: [is_disabled, false, false, false] })
    }

    /// Ids and names of the groups that have the user as a member.
    async fn groups_of(&self, id: &str) -> Result<Vec<(String, String)>, Stop> {
        let quoted = Value::String(id.to_owned());
        let mut groups = Vec::new();
        loop {
            let query = [
                ("filter", format!("members.value eq {quoted}")),
                ("attributes", "id,displayName".to_owned()),
                ("startIndex", (groups.len() + 1).to_string()),
                ("count", self.settings.page_size.to_string()),
            ];
            let page = self.service.page("/Groups", &query).await.map_err(|refusal| match refusal {
                Refusal::Final(reason) | Refusal::Temporary(reason) => {
                    Stop::Incomplete(format!("the groups of a user could not be read: {reason}"))
                }
            })?;
            let count = page.resources.len();
            for group in page.resources {
                let text =
                    |name: &str| group.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                groups.push((text("id"), text("displayName")));
            }
            let total = page.total.unwrap_or_default();
            if groups.len() as u64 == total {
                return Ok(groups);
            }
            if count == 0 || groups.len() as u64 > total {
                let found = groups.len();
                return Err(Stop::Incomplete(format!("the service gave {found} groups of a user's {total}")));
            }
        }
    }

    /// Before the first page nothing was read, and the source has failed.
    fn stop(&self, refusal: Refusal) -> Stop {
        let (Refusal::Final(reason) | Refusal::Temporary(reason)) = refusal;
        if self.seen == 0 {
            Stop::Failed(ReadError::Remote { place: self.settings.url.clone(), reason })
        } else {
            Stop::Incomplete(reason)
        }
    }
}
