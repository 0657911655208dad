//! The read of a directory: pages of entries to account records.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use chrono::NaiveDateTime;
use futures_util::future::join_all;
use ldap3::{Ldap, Scope};

use super::entry::Entry;
use super::groups::{GroupsOfGroups, Memberships};
use super::search::{Next, Page, Search, page};
use super::settings::{DN, GROUP_PATHS, GroupSettings, MEMBER_OF};
use super::{Directory, LdapSettings, SearchScope, active_directory, changes, connection, groups, values};
use crate::account::{AccountSink, Record};
use crate::named_columns::NamedColumns;
use crate::passwords::is_password;
use crate::reader::{ReadError, RecordReader};
use crate::remote::{Feed, RemoteReader, Stop};
use crate::secret::{self, Secret};
use crate::source_kind::{Opening, SourceKind, SourceSettings};

/// Connections for searches in addition to the one for accounts. A server keeps the place of one paged search for each
/// connection, so each of these does one search at a time.
const SIDE_CONNECTIONS: usize = 4;

impl SourceKind for LdapSettings {
    /// Opens a directory for one read, of changes if `cursor` allows for it and the settings want it.
    ///
    /// # Errors
    /// The settings are faulty or the password cannot be had; all else comes with the first batch.
    fn open(&self, named: NamedColumns, opening: &Opening<'_>) -> Result<Box<dyn RecordReader>, ReadError> {
        if let Some((key, reason)) = self.fault() {
            return Err(ReadError::Settings { path: self.url.clone(), reason: format!("{key}: {reason}") });
        }
        let password = secret::read(
            "password",
            self.password_file.as_deref(),
            self.password_env.as_deref(),
            opening.base_dir,
            opening.environment,
        )?;
        let summed = named.summed().map(|column| column.name.clone());
        let mut sink = AccountSink::new(self.effective_account(), named);
        sink.folds_names = true;
        sink.know(&[DN.to_owned()]);
        let (settings, base_dir) = (self.clone(), opening.base_dir.to_owned());
        let cursor = opening.cursor.map(str::to_owned);
        let time_limit = Duration::from_secs(self.total_timeout_s);
        RemoteReader::start(self.url.clone(), time_limit, sink, async move |feed| {
            let ldap = connection::connect(&settings, &base_dir, password.as_ref()).await?;
            let mut read = Read {
                settings: &settings,
                summed: summed.as_deref(),
                base_dir: &base_dir,
                password,
                ldap,
                side: Vec::new(),
                groups_of_groups: Vec::new(),
                primary_groups: HashMap::new(),
                referrals: 0,
            };
            let ended = read.all(feed, cursor.as_deref()).await;
            if read.referrals > 0 {
                feed.sink
                    .warn(format!("referrals to other servers that were not followed: {}", read.referrals));
            }
            // A courtesy: the answer has no content, and nothing depends on it.
            let _ = read.ldap.unbind().await;
            ended
        })
    }
}

/// A read in progress.
struct Read<'a> {
    settings: &'a LdapSettings,
    /// The attribute whose sum the owner states.
    summed: Option<&'a str>,
    base_dir: &'a Path,
    password: Option<Secret>,
    ldap: Ldap,
    /// Opened when they are needed.
    side: Vec<Ldap>,
    /// Of each of them.
    groups_of_groups: Vec<GroupsOfGroups>,
    /// Names of primary groups by security identifier; there are few of them.
    primary_groups: HashMap<String, Option<String>>,
    referrals: u64,
}

impl Read<'_> {
    async fn all(&mut self, feed: &mut Feed, cursor: Option<&str>) -> Result<(), Stop> {
        let changed = self.begin(feed, cursor).await?;
        for base_dn in &self.settings.base_dns {
            let mut search = self.search(base_dn);
            if let Some(filter) = &changed {
                search.filter.clone_from(filter);
            }
            let mut cookie = Vec::new();
            loop {
                let first = cookie.is_empty();
                let Page { entries, referrals, next } = page(&mut self.ldap, &search, cookie).await;
                self.referrals += referrals;
                self.accounts(entries, feed).await?;
                let place = || format!("search below {base_dn:?}");
                cookie = match next {
                    Next::Page(cookie) => cookie,
                    Next::End => break,
                    Next::Refused(reason) if first => {
                        let reason = format!("{}: {reason}", place());
                        return Err(Stop::Failed(connection::failed(self.settings, reason)));
                    }
                    Next::Cut(reason) | Next::Refused(reason) => {
                        return Err(Stop::Incomplete(format!("{}: {reason}", place())));
                    }
                };
            }
        }
        Ok(())
    }

    /// Finds out whether changes are enough, and leaves the next read's cursor; gives the filter of what changed, or
    /// `None` when everything is to be read.
    async fn begin(&mut self, feed: &mut Feed, cursor: Option<&str>) -> Result<Option<String>, Stop> {
        let settings = self.settings;
        let Some(wanted) = settings.changes else { return Ok(None) };
        let search = self.search("");
        let start = match changes::start(&mut self.ldap, settings, wanted, &search, cursor).await {
            Ok(start) => start,
            Err(reason) => {
                feed.sink.warn(format!("what changed cannot be told, so everything is read: {reason}"));
                return Ok(None);
            }
        };
        feed.sink.changes_only = start.changed.is_some();
        let mut cursor = start.cursor;
        if settings.directory == Directory::ActiveDirectory {
            if feed.sink.changes_only {
                self.list(feed).await.map_err(Stop::Incomplete)?;
            }
        } else {
            match self.list(feed).await {
                Ok(None) => return Ok(start.changed),
                // Within the second of a group's last change there may be another one, which nothing would show.
                Ok(newest) if start.groups_modified.is_some() && start.groups_modified >= newest => {
                    return Ok(start.changed);
                }
                Ok(Some(newest)) => cursor.position = changes::time_text(newest),
                Err(reason) if feed.sink.changes_only => return Err(Stop::Incomplete(reason)),
                // The read of everything meets the same, and says it.
                Err(_) => return Ok(None),
            }
        }
        feed.sink.cursor = cursor.text();
        Ok(start.changed)
    }

    /// Lists all entries that are accounts, for a read of changes; gives the time of the last change to one of them,
    /// where each has one.
    async fn list(&mut self, feed: &mut Feed) -> Result<Option<NaiveDateTime>, String> {
        let native_identity = &self.settings.account.native_identity;
        let (mut newest, mut untimed) = (None, false);
        for base_dn in &self.settings.base_dns {
            let mut search = self.search(base_dn);
            search.attributes = vec![changes::MODIFIED.to_owned()];
            if !native_identity.eq_ignore_ascii_case(DN) {
                search.attributes.push(native_identity.clone());
            }
            let mut cookie = Vec::new();
            loop {
                let Page { entries, next, .. } = page(&mut self.ldap, &search, cookie).await;
                for entry in entries {
                    let Some(record) = self.record(entry) else { continue };
                    match record.text(changes::MODIFIED).and_then(changes::time) {
                        Some(time) => newest = newest.max(Some(time)),
                        None => untimed = true,
                    }
                    if let (true, Some(name)) = (feed.sink.changes_only, record.text(native_identity)) {
                        feed.present(name)
                            .map_err(|_| "the accounts were not listed to their end".to_owned())?;
                    }
                }
                cookie = match next {
                    Next::Page(cookie) => cookie,
                    Next::End => break,
                    Next::Cut(reason) | Next::Refused(reason) => {
                        return Err(format!("list of the accounts below {base_dn:?}: {reason}"));
                    }
                };
            }
        }
        Ok(newest.filter(|_| !untimed))
    }

    fn search(&self, base_dn: &str) -> Search {
        let settings = self.settings;
        Search {
            base_dn: base_dn.to_owned(),
            scope: match settings.scope {
                SearchScope::Subtree => Scope::Subtree,
                SearchScope::OneLevel => Scope::OneLevel,
                SearchScope::Base => Scope::Base,
            },
            filter: settings.filter.clone(),
            attributes: requested(settings, self.summed),
            page_size: settings.page_size,
            time_limit: Duration::from_secs(settings.operation_timeout_s),
        }
    }

    /// A page of entries to records, in order.
    async fn accounts(&mut self, mut entries: Vec<Entry>, feed: &mut Feed) -> Result<(), Stop> {
        let search = self.search("");
        for entry in &mut entries {
            if groups::has_parts(entry) {
                let side = self.side(1).await?;
                groups::complete_values(&mut side[0], &search, entry).await.map_err(Stop::Incomplete)?;
            }
            if self.settings.directory == Directory::ActiveDirectory {
                self.add_primary_group(entry).await?;
            }
        }
        let Some(wanted) = &self.settings.groups else {
            return entries.into_iter().try_for_each(|entry| self.account(entry, None, feed));
        };
        let by_name = wanted.value.eq_ignore_ascii_case(DN);
        let group_search = Search {
            base_dn: wanted.base_dn.clone(),
            scope: Scope::Subtree,
            attributes: vec![if by_name { NO_ATTRIBUTES.to_owned() } else { wanted.value.clone() }],
            ..search
        };
        let share = entries.len().div_ceil(SIDE_CONNECTIONS).max(1);
        let mut known = std::mem::take(&mut self.groups_of_groups);
        known.resize_with(SIDE_CONNECTIONS, GroupsOfGroups::default);
        let side = self.side(SIDE_CONNECTIONS).await?;
        let with_known = side.iter_mut().zip(&mut known);
        let searches = entries.chunks(share).zip(with_known).map(async |(accounts, (ldap, known))| {
            let mut found = Vec::with_capacity(accounts.len());
            for account in accounts {
                found.push(groups::groups_of(ldap, &group_search, wanted, account, known).await?);
            }
            Ok::<_, String>(found)
        });
        let found = join_all(searches).await;
        self.groups_of_groups = known;
        let mut entries = entries.into_iter();
        for share in found {
            // The accounts before the failure are whole.
            for memberships in share.map_err(Stop::Incomplete)? {
                self.referrals += memberships.referrals;
                let Some(entry) = entries.next() else { break };
                self.account(entry, Some((wanted, memberships)), feed)?;
            }
        }
        Ok(())
    }

    /// The first `count` side connections.
    async fn side(&mut self, count: usize) -> Result<&mut [Ldap], Stop> {
        while self.side.len() < count {
            let opened = connection::connect(self.settings, self.base_dir, self.password.as_ref()).await;
            let failed = |error| Stop::Incomplete(format!("a further connection: {error}"));
            self.side.push(opened.map_err(failed)?);
        }
        Ok(&mut self.side[..count])
    }

    fn account(
        &self,
        entry: Entry,
        found: Option<(&GroupSettings, Memberships)>,
        feed: &mut Feed,
    ) -> Result<(), Stop> {
        let Some(mut record) = self.record(entry) else {
            feed.sink.reject(0, None, "the entry's name is not UTF-8".to_owned());
            return Ok(());
        };
        if let Some((wanted, Memberships { groups, paths, .. })) = found {
            record.fields.push((wanted.attribute.clone(), groups));
            if wanted.nested {
                record.fields.push((GROUP_PATHS.to_owned(), paths));
            }
        }
        feed.push(record)
    }

    /// An entry's values as text; `None` if its name is none.
    fn record(&self, entry: Entry) -> Option<Record> {
        let dn = entry.dn.clone()?;
        let is_active_directory = self.settings.directory == Directory::ActiveDirectory;
        let flags = if is_active_directory { active_directory::flags(&entry) } else { [false; 4] };
        let mut fields = Vec::with_capacity(entry.attributes.len() + 2);
        fields.push((DN.to_owned(), vec![dn]));
        for (name, found) in entry.attributes {
            if is_password(&name) {
                continue;
            }
            let mut texts = values::texts(&name, found);
            if is_active_directory && active_directory::is_time(&name) {
                for text in &mut texts {
                    if let Some(time) = active_directory::time_text(text) {
                        *text = time;
                    }
                }
            }
            // A directory may keep the values of an attribute in any order, but the one that it gives first is the one
            // that its other clients show. Of entitlements there is none before the others.
            let kept = usize::from(!self.is_entitlement(&name));
            if let Some(rest) = texts.get_mut(kept..) {
                rest.sort_unstable();
            }
            fields.push((name, texts));
        }
        Some(Record { fields, flags, ..Record::default() })
    }

    fn is_entitlement(&self, name: &str) -> bool {
        self.settings.account.entitlements.iter().any(|marked| marked.eq_ignore_ascii_case(name))
    }

    /// An account's primary group is not among its `memberOf`, though it is a member of it.
    async fn add_primary_group(&mut self, entry: &mut Entry) -> Result<(), Stop> {
        let text = |name: &str| {
            let (name, values) =
                entry.attributes.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
            values::texts(name, values.clone()).into_iter().next()
        };
        let (Some(own), Some(group)) = (text("objectSid"), text("primaryGroupID")) else { return Ok(()) };
        let Some(sid) = active_directory::primary_group_sid(&own, &group) else { return Ok(()) };
        if !self.primary_groups.contains_key(&sid) {
            let search = Search {
                scope: Scope::Base,
                filter: "(objectClass=*)".to_owned(),
                attributes: vec![NO_ATTRIBUTES.to_owned()],
                ..self.search(&format!("<SID={sid}>"))
            };
            let side = self.side(1).await?;
            let Page { entries, next, .. } = page(&mut side[0], &search, Vec::new()).await;
            if let Next::Cut(reason) = next {
                return Err(Stop::Incomplete(format!("the primary group {sid}: {reason}")));
            }
            let dn = entries.into_iter().next().and_then(|entry| entry.dn);
            self.primary_groups.insert(sid.clone(), dn);
        }
        let Some(Some(dn)) = self.primary_groups.get(&sid) else { return Ok(()) };
        let dn = dn.clone().into_bytes();
        match entry.attributes.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(MEMBER_OF)) {
            Some((_, values)) => values.push(dn),
            None => entry.attributes.push((MEMBER_OF.to_owned(), vec![dn])),
        }
        Ok(())
    }
}

/// Asks a server for names only (RFC 4511, 4.5.1.8).
const NO_ATTRIBUTES: &str = "1.1";

/// The attributes to ask for: all that the definition lists, or all there are, and by name what a server gives
/// only then.
fn requested(settings: &LdapSettings, summed: Option<&str>) -> Vec<String> {
    let account = settings.effective_account();
    let mut names: Vec<String> = Vec::new();
    if account.attributes.is_none() {
        names.push("*".to_owned());
    }
    names.push(account.native_identity.clone());
    names.extend(account.named().into_iter().map(|(_, name)| name.to_owned()));
    names.extend(summed.map(str::to_owned));
    if let Some(groups) = &settings.groups {
        names.push(groups.account_attribute.clone());
        let is_made = |name: &String| {
            name.eq_ignore_ascii_case(&groups.attribute) || groups.nested && name == GROUP_PATHS
        };
        names.retain(|name| !is_made(name));
    }
    if settings.directory == Directory::ActiveDirectory {
        names.extend(active_directory::FLAGS.map(str::to_owned));
        if names.iter().any(|name| name == "*" || name.eq_ignore_ascii_case(MEMBER_OF)) {
            names.extend([MEMBER_OF, "objectSid", "primaryGroupID"].map(str::to_owned));
        }
    }
    names.retain(|name| !name.eq_ignore_ascii_case(DN) && !is_password(name));
    names.sort_unstable_by_key(|name| name.to_ascii_lowercase());
    names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    if names.is_empty() {
        names.push(NO_ATTRIBUTES.to_owned());
    }
    names
}
