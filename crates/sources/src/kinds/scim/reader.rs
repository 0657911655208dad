//! The read of a service: pages of users to account records.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Map, Value};

use super::changes::{Cursor, Gathering};
use super::members::member;
use super::seen::{Came, Seen};
use super::service::{Credentials, Refusal, Service};
use super::version::EntityTag;
use super::{GroupsFrom, Paging, ScimSettings, values};
use crate::account::{AccountSink, Record};
use crate::named_columns::NamedColumns;
use crate::reader::{ReadError, RecordReader};
use crate::remote::{Feed, RemoteReader, Stop};
use crate::secret;
use crate::source_kind::{Opening, SourceKind, SourceSettings};

impl SourceKind for ScimSettings {
    /// Opens a service for one read, which finds out whether anything changed since the read that `cursor` came from if the
    /// settings want it.
    ///
    /// # Errors
    /// The settings are faulty or the credentials cannot be had; all else comes with the first batch.
    fn open(&self, named: NamedColumns, opening: &Opening<'_>) -> Result<Box<dyn RecordReader>, ReadError> {
        if let Some((key, reason)) = self.fault() {
            return Err(ReadError::Settings { path: self.url.clone(), reason: format!("{key}: {reason}") });
        }
        let read = |key, file: &Option<String>, variable: &Option<String>| {
            secret::read(key, file.as_deref(), variable.as_deref(), opening.base_dir, opening.environment)
        };
        let token = read("token", &self.token_file, &self.token_env)?;
        let password = read("password", &self.password_file, &self.password_env)?;
        let credentials = match (token, self.user.clone(), password) {
            (Some(token), _, _) => Credentials::Token(token),
            (None, Some(user), Some(password)) => Credentials::Password(user, password),
            (None, _, _) => Credentials::None,
        };
        let service = Service::new(self, opening.base_dir, &credentials)?;
        let mut sink = AccountSink::new(self.account.clone(), named);
        sink.folds_names = true;
        let settings = self.clone();
        let last = Cursor::of_last(opening.cursor, &settings);
        let time_limit = Duration::from_secs(self.total_timeout_s);
        RemoteReader::start(self.url.clone(), time_limit, sink, async move |feed| {
            let read = Read {
                settings: &settings,
                service: &service,
                wants_version: settings.account.wants(values::VERSION),
                gathering: Gathering::new(&settings),
                total: None,
                total_is: TotalIs::OfAll,
                given: 0,
                again: 0,
                seen: Seen::default(),
            };
            if let Some(last) = last
                && read.is_unchanged(&last).await?
            {
                return read.unchanged(last, feed);
            }
            read.all(feed).await
        })
    }
}

/// What the service's `totalResults` is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TotalIs {
    /// The number of users, as RFC 7644 (3.4.2) wants it.
    OfAll,
    /// The number of users on the first page, and so maybe of the page: a page behind it tells.
    Doubted,
    /// The number of users on each page.
    OfThePage,
}

/// A read in progress.
struct Read<'a> {
    settings: &'a ScimSettings,
    service: &'a Service,
    /// Whether accounts show the versions of resources.
    wants_version: bool,
    gathering: Gathering,
    /// What the service reported first.
    total: Option<u64>,
    total_is: TotalIs,
    /// Users given so far.
    given: u64,
    /// Of them those that had come before.
    again: u64,
    seen: Seen,
}

impl Read<'_> {
    /// Whether the service says of every page of the last read that it is what it was.
    async fn is_unchanged(&self, last: &Cursor) -> Result<bool, Stop> {
        let mut first = 0;
        for (tag, count) in &last.pages {
            let Some(tag) = EntityTag::parse(tag) else { return Ok(false) };
            let query = self.query(first, "");
            let page = self.service.page_unless("/Users", &query, Some(&tag)).await;
            if page.map_err(|refusal| self.stop(refusal))?.is_some() {
                return Ok(false);
            }
            first += count;
        }
        Ok(!last.pages.is_empty())
    }

    /// Ends a read that found everything as it was.
    fn unchanged(&self, last: Cursor, feed: &mut Feed) -> Result<(), Stop> {
        feed.sink.changes_only = true;
        feed.sink.reported_total = last.total;
        feed.sink.same_digest = Some(last.digest.clone());
        for name in &last.names {
            feed.present(name)?;
        }
        feed.sink.cursor = last.counted();
        Ok(())
    }

    async fn all(mut self, feed: &mut Feed) -> Result<(), Stop> {
        let mut cursor = String::new();
        loop {
            let page = match self.service.page("/Users", &self.query(self.given, &cursor)).await {
                Ok(page) => page,
                // A service that refuses to look behind its last user has said that nobody is there.
                Err(Refusal::Final(_)) if self.total_is == TotalIs::Doubted => break,
                Err(refusal) => return Err(self.stop(refusal)),
            };
            let count = (page.resources.len() + page.broken) as u64;
            if count == 0 && self.total_is == TotalIs::Doubted {
                break;
            }
            let (total, broken) = (page.total, page.broken as u64);
            let different = self.given - self.again;
            let is_first = self.given == 0;
            self.given += count;
            self.gathering.page(page.tag.as_deref(), count);
            for _ in 0..page.broken {
                feed.sink.reject(0, None, "the resource is not a JSON object".to_owned());
            }
            for user in page.resources {
                self.account(user, feed).await?;
            }
            if count > 0 && !is_first && self.given - self.again == different + broken {
                return Err(Stop::Incomplete(self.nobody_new()));
            }
            if self.total_is == TotalIs::Doubted && total.is_none_or(|total| total == count) {
                self.total_is = TotalIs::OfThePage;
            }
            self.check_total(total, feed)?;
            match (self.settings.paging, page.next_cursor) {
                (Paging::None, _) => break,
                (Paging::Cursor, Some(next)) if next != cursor && count > 0 => cursor = next,
                (Paging::Cursor, Some(_)) if count > 0 => {
                    return Err(Stop::Incomplete("the service gave the same cursor again".to_owned()));
                }
                (Paging::Cursor, Some(_)) => {
                    return Err(Stop::Incomplete(
                        "the service gave a page of nobody and a cursor".to_owned(),
                    ));
                }
                (Paging::Cursor, None) => break,
                (Paging::Index, _) if count == 0 => break,
                // A total that is the number of users on the first page may be that by its nature.
                (Paging::Index, _) if is_first && self.total == Some(count) => {
                    self.total_is = TotalIs::Doubted;
                }
                (Paging::Index, _) if self.total.is_some_and(|total| self.given >= total) => break,
                (Paging::Index, _) => {}
            }
        }
        self.end(feed)
    }

    /// Ends a read that came to the service's end.
    fn end(self, feed: &mut Feed) -> Result<(), Stop> {
        let (different, again) = (self.given - self.again, self.again);
        let twice = if again == 0 { String::new() } else { format!("{again} users twice and so ") };
        match self.total {
            Some(total) if total != different => Err(Stop::Incomplete(format!(
                "the service gave {twice}{different} users of the {total} that it reports"
            ))),
            None if self.settings.paging == Paging::Index && self.total_is != TotalIs::OfThePage => {
                Err(Stop::Incomplete("the service does not report how many users there are".to_owned()))
            }
            Some(_) | None => {
                if again == 0 {
                    feed.sink.cursor = self.gathering.end(self.total, feed.sink.digest_so_far());
                }
                Ok(())
            }
        }
    }

    /// Why a page on which nobody is new ends the read: whoever goes on may do so for ever.
    fn nobody_new(&self) -> String {
        let different = self.given - self.again;
        let of = self.total.map_or_else(String::new, |total| format!(" of the {total} that it reports"));
        let way_out = match self.settings.paging {
            Paging::Index => ": does it pass over `startIndex`? `paging = \"none\"` takes one answer for all",
            Paging::Cursor | Paging::None => "",
        };
        format!("the service gave {different} users{of} and then a page with nobody new{way_out}")
    }

    /// What a page is asked for with, `first` users before it.
    fn query(&self, first: u64, cursor: &str) -> Vec<(&'static str, String)> {
        let settings = self.settings;
        let mut query = Vec::new();
        if settings.paging != Paging::None {
            query.push(("count", settings.page_size.to_string()));
        }
        match settings.paging {
            Paging::Index => query.push(("startIndex", (first + 1).to_string())),
            Paging::Cursor => query.push(("cursor", cursor.to_owned())),
            Paging::None => {}
        }
        query.extend(settings.filter.clone().map(|filter| ("filter", filter)));
        query.extend(settings.sort_by.clone().map(|attribute| ("sortBy", attribute)));
        query
    }

    /// If the total changes, users were added or removed between two pages, and the places of others have moved.
    fn check_total(&mut self, total: Option<u64>, feed: &mut Feed) -> Result<(), Stop> {
        if self.total_is == TotalIs::OfThePage {
            if self.total.take().is_some() {
                feed.sink.reported_total = None;
                let until = "users were read until a page had nobody";
                feed.sink
                    .warn(format!("the service's totalResults counts the page and not the users: {until}"));
            }
            return Ok(());
        }
        let Some(total) = total else { return Ok(()) };
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

    async fn account(&mut self, user: Map<String, Value>, feed: &mut Feed) -> Result<(), Stop> {
        let id = member(&user, "id").and_then(Value::as_str).map(str::to_owned);
        match self.seen.note(&user) {
            Came::First => {}
            Came::Again => {
                self.again += 1;
                // The page was asked for to see whether anybody is behind the total.
                if self.total_is == TotalIs::Doubted {
                    return Ok(());
                }
            }
            Came::Changed => {
                let id = id.unwrap_or_default();
                let reason = format!(
                    "user {id:?} came twice and changed between: the pages moved while they were read"
                );
                return Err(self.failed(reason));
            }
        }
        let meta = member(&user, "meta").and_then(Value::as_object);
        let has_version = meta.and_then(|meta| member(meta, "version")).is_some_and(|found| !found.is_null());
        let mut fields = values::flatten(user);
        let active = values::active(&mut fields);
        let version = fields.iter().position(|(name, _)| name == values::VERSION);
        match (self.wants_version, version) {
            (false, Some(index)) => drop(fields.remove(index)),
            (true, None) if has_version => {
                let wanted = "expected \"text\" or W/\"text\"";
                feed.sink.warn(format!("{} of some users is not an entity tag: {wanted}", values::VERSION));
            }
            (true, Some(_) | None) | (false, None) => {}
        }
        if self.settings.groups == GroupsFrom::Search
            && let Some(id) = id
        {
            let groups = self.groups_of(&id).await?;
            fields.retain(|(name, _)| name != "groups" && name != "groups.display");
            let (ids, displays) = groups.into_iter().unzip();
            fields.push(("groups".to_owned(), ids));
            fields.push(("groups.display".to_owned(), displays));
        }
        let is_disabled = active == Ok(Some(false));
        let record = Record { fields, flags: [is_disabled, false, false, false], ..Record::default() };
        let native_identity = record.text(&self.settings.account.native_identity);
        if let (Err(reason), None) = (active, &self.settings.account.disabled) {
            feed.sink.reject(0, native_identity.map(str::to_owned), reason.to_owned());
            return Ok(());
        }
        self.gathering.name(native_identity);
        feed.push(record)
    }

    /// Ids and names of the groups that have the user as a member.
    async fn groups_of(&self, id: &str) -> Result<Vec<(String, String)>, Stop> {
        let quoted = Value::String(id.to_owned());
        let mut groups: Vec<(String, String)> = Vec::new();
        let mut ids = HashSet::new();
        let (mut given, mut is_past_total) = (0, false);
        loop {
            let query = [
                ("filter", format!("members.value eq {quoted}")),
                ("attributes", "id,displayName".to_owned()),
                ("startIndex", (given + 1).to_string()),
                ("count", self.settings.page_size.to_string()),
            ];
            let page = match self.service.page("/Groups", &query).await {
                Ok(page) => page,
                Err(Refusal::Final(_)) if is_past_total => return Ok(groups),
                Err(Refusal::Final(reason) | Refusal::Temporary(reason)) => {
                    let reason = format!("the groups of a user could not be read: {reason}");
                    return Err(Stop::Incomplete(reason));
                }
            };
            let (is_first, count, found) = (given == 0, page.resources.len(), groups.len());
            given += count;
            for group in page.resources {
                let text = |name: &str| {
                    let value = member(&group, name);
                    value.and_then(Value::as_str).unwrap_or_default().to_owned()
                };
                if ids.insert(text("id")) {
                    groups.push((text("id"), text("displayName")));
                }
            }
            let total = page.total.unwrap_or_default();
            if count == 0 && is_past_total {
                return Ok(groups);
            }
            if count > 0 && groups.len() == found || count == 0 && total > 0 {
                return Err(Stop::Incomplete(format!(
                    "the service gave {found} groups of a user's {total} and then a page with no new one"
                )));
            }
            // A total that is the number of groups on a full first page may be that by its nature.
            let may_be_of_page =
                self.total_is == TotalIs::OfThePage || count >= usize::from(self.settings.page_size);
            is_past_total |= is_first && count > 0 && count as u64 == total && may_be_of_page;
            if !is_past_total && given as u64 >= total {
                return if given as u64 == total {
                    Ok(groups)
                } else {
                    Err(Stop::Incomplete(format!("the service gave {given} groups of a user's {total}")))
                };
            }
        }
    }

    /// Before the first page nothing was read, and the source has failed.
    fn stop(&self, refusal: Refusal) -> Stop {
        let (Refusal::Final(reason) | Refusal::Temporary(reason)) = refusal;
        if self.given == 0 { self.failed(reason) } else { Stop::Incomplete(reason) }
    }

    fn failed(&self, reason: String) -> Stop {
        Stop::Failed(ReadError::Remote { place: self.settings.url.clone(), reason })
    }
}
