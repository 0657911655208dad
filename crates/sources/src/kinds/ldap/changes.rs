//! What changed since the last read: which entries to ask for, and what the next read goes on from.
//!
//! A read of changes lists the names of all entries that are accounts, and asks for the whole of those that changed.
//! The list is what finds accounts that were deleted, moved away, or do not fit the filter any more: tombstones know
//! only of the first of these, and only in Active Directory.
//!
//! Active Directory numbers every change; numbers are its controller's own, so the cursor has the controller's
//! invocation id with them. Other directories note times of their own clocks; those are compared with some seconds to
//! spare. The groups list their members, and the account does not: when any group was added, removed or
//! changed, everything is read. The same happens when the definition has changed, and after some reads in any case.

use std::collections::BTreeMap;

use chrono::{NaiveDateTime, TimeDelta};
use ldap3::{Ldap, Scope};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::entry::Entry;
use super::search::{Next, Page, Search, page};
use super::settings::MEMBER_OF;
use super::{ChangeSettings, Directory, LdapSettings, values};
use crate::reader::hex;

/// When an entry was changed, as far as directories tell; the first is what cursors of most are made of.
pub(super) const MODIFIED: &str = "modifyTimestamp";
/// The number of an entry's last change in Active Directory.
const CHANGE_NUMBER: &str = "uSNChanged";
/// What changes with an entry, from coarse to fine; the last two are finer than a second.
const MARKS: [&str; 3] = [MODIFIED, CHANGE_NUMBER, "entryCSN"];
/// Times before the last one that may still come late from another server of the same directory.
const LATE: TimeDelta = TimeDelta::minutes(10);
/// How directories write times (RFC 4517, 3.3.13).
const TIME: &str = "%Y%m%d%H%M%S";

/// What a read goes on from, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Of the definition that the accounts were read by.
    definition: String,
    /// Invocation id of the controller that gave the position.
    controller: Option<String>,
    /// The last change before the read: a number, or a time.
    pub(super) position: String,
    /// Fingerprint of all groups.
    groups: Option<String>,
    /// Reads of changes since everything was read.
    reads: u32,
}

/// How a read begins.
pub(super) struct Start {
    /// For the next read; of most directories its position is known only when the accounts have been listed.
    pub(super) cursor: Cursor,
    /// The filter of what changed, unless everything is to be read.
    pub(super) changed: Option<String>,
    /// The time of the last change to a group, where groups have no finer mark.
    pub(super) groups_modified: Option<NaiveDateTime>,
}

/// Finds out how the read begins; `search` is for accounts, and `last` the cursor of the last read.
///
/// # Errors
/// Why changes cannot be told; everything must then be read.
pub(super) async fn start(
    ldap: &mut Ldap,
    settings: &LdapSettings,
    changes: ChangeSettings,
    search: &Search,
    last: Option<&str>,
) -> Result<Start, String> {
    let is_active_directory = settings.directory == Directory::ActiveDirectory;
    let (mut controller, mut position, mut domain) = (None, String::new(), String::new());
    if is_active_directory {
        let root = entry(ldap, search, "", &["highestCommittedUSN", "dsServiceName", "defaultNamingContext"]);
        let root = root.await.ok_or("the server's root entry is not given")?;
        let text = |name| root.text(name).ok_or_else(|| format!("the server's root entry has no {name}"));
        position = text("highestCommittedUSN")?;
        domain = text("defaultNamingContext")?;
        let service = entry(ldap, search, &text("dsServiceName")?, &["invocationId"]).await;
        let id = service.and_then(|service| Some(hex(service.first("invocationId")?)));
        controller = Some(id.ok_or("the controller's invocation id is not given")?);
    }
    let in_member_of =
        is_active_directory && (settings.account.attributes.is_none() || settings.wants(MEMBER_OF));
    let place = match &settings.groups {
        Some(groups) => Some((groups.base_dn.clone(), groups.filter.clone())),
        None => in_member_of.then(|| (domain, "(objectClass=group)".to_owned())),
    };
    let groups = match place {
        Some((base_dn, filter)) => Some(fingerprint(ldap, search, base_dn, filter).await?),
        None => None,
    };
    let (groups, groups_modified) = groups.map_or((None, None), |(text, modified)| (Some(text), modified));
    let definition = serde_json::to_vec(settings).map_err(|_| "the definition cannot be kept")?;
    let definition = hex(Sha256::digest(&definition));
    let mut cursor = Cursor { definition, controller, position, groups, reads: 0 };
    let last = last.and_then(|text| serde_json::from_str::<Cursor>(text).ok());
    let changed = last.filter(|last| last.reads < changes.full_every).and_then(|last| {
        let filter = cursor.changed_since(&last, settings)?;
        cursor.reads = last.reads + 1;
        Some(filter)
    });
    Ok(Start { cursor, changed, groups_modified })
}

impl Cursor {
    /// The filter of the accounts that changed since; `None` when that cannot be told.
    fn changed_since(&self, last: &Self, settings: &LdapSettings) -> Option<String> {
        let is_comparable = self.definition == last.definition
            && self.controller == last.controller
            && self.groups == last.groups;
        if !is_comparable {
            return None;
        }
        let filter = &settings.filter;
        match settings.directory {
            Directory::ActiveDirectory => {
                let (now, before): (u64, u64) = (self.position.parse().ok()?, last.position.parse().ok()?);
                // A lock runs out without a change to the account.
                let changed = format!("(|({CHANGE_NUMBER}>={})(lockoutTime>=1))", before.checked_add(1)?);
                (now >= before).then(|| format!("(&{filter}{changed})"))
            }
            Directory::Generic => {
                let from = time(&last.position)?.checked_sub_signed(LATE)?;
                Some(format!("(&{filter}({MODIFIED}>={}Z))", from.format(TIME)))
            }
        }
    }

    /// The cursor as it is kept.
    pub(super) fn text(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

/// A time as directories write it, to the second; `None` for one that is not in UTC.
pub(super) fn time(text: &str) -> Option<NaiveDateTime> {
    let rest = text.get(14..)?;
    if !rest.ends_with('Z') {
        return None;
    }
    NaiveDateTime::parse_from_str(&text[..14], TIME).ok()
}

/// The same as text.
pub(super) fn time_text(time: NaiveDateTime) -> String {
    format!("{}Z", time.format(TIME))
}

/// One entry by its name.
async fn entry(ldap: &mut Ldap, search: &Search, dn: &str, attributes: &[&str]) -> Option<Entry> {
    let attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
    let search = Search {
        base_dn: dn.to_owned(),
        scope: Scope::Base,
        filter: "(objectClass=*)".to_owned(),
        attributes,
        ..*search
    };
    // A server may not page what is one entry.
    page(ldap, &search, Vec::new()).await.entries.into_iter().next()
}

/// A text that changes when a group is added, removed or changed, whatever the order in which the groups are given; and
/// the time of the last change, if a second change within that second would leave the text as it is.
async fn fingerprint(
    ldap: &mut Ldap,
    search: &Search,
    base_dn: String,
    filter: String,
) -> Result<(String, Option<NaiveDateTime>), String> {
    let attributes = MARKS.map(str::to_owned).to_vec();
    let search = Search { base_dn, scope: Scope::Subtree, filter, attributes, ..*search };
    let (mut sum, mut newest, mut cookie) = (0_u128, None, Vec::new());
    loop {
        let Page { entries, next, .. } = page(ldap, &search, cookie).await;
        for group in entries {
            let marks: BTreeMap<&str, String> =
                MARKS.into_iter().filter_map(|name| Some((name, group.text(name)?))).collect();
            if marks.is_empty() {
                return Err("a group does not tell when it was changed".to_owned());
            }
            if marks.len() == 1 {
                newest = newest.max(marks.get(MODIFIED).and_then(|text| time(text)));
            }
            let digest = Sha256::digest(format!("{:?} {marks:?}", group.dn));
            let first: [u8; 16] = digest[..16].try_into().expect("a SHA-256 has 32 bytes");
            sum = sum.wrapping_add(u128::from_be_bytes(first));
        }
        cookie = match next {
            Next::Page(cookie) => cookie,
            Next::End => return Ok((format!("{sum:032x}"), newest)),
            Next::Cut(reason) | Next::Refused(reason) => {
                return Err(format!("the groups could not be listed: {reason}"));
            }
        };
    }
}

impl Entry {
    /// The first value of an attribute as text.
    fn text(&self, name: &str) -> Option<String> {
        values::texts(name, vec![self.first(name)?.to_vec()]).into_iter().next()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn cursor(position: &str) -> Cursor {
        Cursor {
            definition: "d".to_owned(),
            controller: Some("c".to_owned()),
            position: position.to_owned(),
            groups: Some("g".to_owned()),
            reads: 0,
        }
    }

    #[test]
    fn filters_of_what_changed() {
        let mut settings = LdapSettings::new("ldap://x", "dc=x");
        let since = |settings: &LdapSettings, now, last| cursor(now).changed_since(&cursor(last), settings);
        let filter = since(&settings, "20240101000000Z", "20240101000500Z").unwrap();
        assert_eq!(filter, "(&(objectClass=person)(modifyTimestamp>=20231231235500Z))");
        settings.directory = Directory::ActiveDirectory;
        let filter = since(&settings, "4711", "4700").unwrap();
        assert_eq!(filter, "(&(objectClass=person)(|(uSNChanged>=4701)(lockoutTime>=1)))");
        // A controller that was put back to an older state, and what no controller said.
        assert_eq!(since(&settings, "4699", "4700"), None);
        assert_eq!(since(&settings, "4711", "x"), None);
    }

    #[test]
    fn what_makes_everything_be_read() {
        let settings =
            LdapSettings { directory: Directory::ActiveDirectory, ..LdapSettings::new("ldap://x", "dc=x") };
        let last = |change: &dyn Fn(&mut Cursor)| {
            let mut last = cursor("5");
            change(&mut last);
            cursor("5").changed_since(&last, &settings)
        };
        assert!(last(&|_| ()).is_some());
        assert!(last(&|last| last.definition.clear()).is_none());
        assert!(last(&|last| last.controller = None).is_none());
        assert!(last(&|last| last.groups = Some("h".to_owned())).is_none());
    }

    #[test]
    fn times() {
        assert_eq!(time("20240115083000Z").map(time_text).unwrap(), "20240115083000Z");
        assert_eq!(time("20240115083000.123456Z").map(time_text).unwrap(), "20240115083000Z");
        for text in ["20240115083000+0100", "20241315083000Z", "2024", "", "2024011508300Zü"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
