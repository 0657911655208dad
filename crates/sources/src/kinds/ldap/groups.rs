//! What an account is a member of, and the rest of values that a server gives in parts.
//!
//! Groups are searched for account by account: a table from members to groups would grow with the directory. Groups of
//! groups are searched for once: there are few beside the accounts.

use std::collections::{HashMap, HashSet, VecDeque};

use ldap3::{Ldap, Scope, ldap_escape};

use super::entry::{self, Entry};
use super::search::{Next, Page, Search, page};
use super::settings::{DN, GroupSettings};
use super::values;

/// Most parts in which the values of one attribute are requested.
const PARTS_MAX: usize = 100_000;
/// Groups whose own groups are remembered on a connection.
const REMEMBERED_MAX: usize = 100_000;
/// Groups that an account may be in.
const GROUPS_MAX: usize = 10_000;
/// Between the names of a path, from a group to the groups that are its members.
const VIA: &str = " ← ";

/// A group, by the name of its entry and by its values that are kept.
#[derive(Clone)]
struct Group {
    dn: String,
    values: Vec<String>,
}

/// The groups of groups that were searched for on a connection.
#[derive(Default)]
pub(super) struct GroupsOfGroups(HashMap<String, Vec<Group>>);

/// What an account is a member of.
#[derive(Default)]
pub(super) struct Memberships {
    /// The groups, as `settings.value` tells them.
    pub(super) groups: Vec<String>,
    /// For each that it is in through others: the groups from that one down to the one that names the account.
    pub(super) paths: Vec<String>,
    /// Referrals that were met.
    pub(super) referrals: u64,
}

/// The groups that name the account, and with `settings.nested` the groups of these groups.
///
/// # Errors
/// Why a search did not come to its end.
pub(super) async fn groups_of(
    ldap: &mut Ldap,
    search: &Search,
    settings: &GroupSettings,
    account: &Entry,
    known: &mut GroupsOfGroups,
) -> Result<Memberships, String> {
    let mut found = Memberships::default();
    let mut direct = Vec::new();
    let name = &settings.account_attribute;
    let values: Vec<Vec<u8>> = if name.eq_ignore_ascii_case(DN) {
        account.dn.iter().map(|dn| dn.clone().into_bytes()).collect()
    } else {
        let found = account.attributes.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        found.flat_map(|(_, values)| values.clone()).collect()
    };
    for value in values {
        // A value that is not text cannot stand in a group's list of names.
        let Ok(value) = String::from_utf8(value) else { continue };
        direct.extend(groups_with(ldap, search, settings, &value, &mut found.referrals).await?);
    }
    direct.sort_unstable_by(|a, b| a.dn.cmp(&b.dn));
    if settings.nested {
        climb(ldap, search, settings, direct, known, &mut found).await?;
    } else {
        found.groups.extend(direct.into_iter().flat_map(|group| group.values));
    }
    found.groups.sort_unstable();
    found.groups.dedup();
    Ok(found)
}

/// Adds the groups, the groups of these, and so on. A group that can be reached in several ways is reached in the fewest
/// steps; of as many, by the first names.
async fn climb(
    ldap: &mut Ldap,
    search: &Search,
    settings: &GroupSettings,
    direct: Vec<Group>,
    known: &mut GroupsOfGroups,
    found: &mut Memberships,
) -> Result<(), String> {
    let mut seen: HashSet<String> = direct.iter().map(|group| group.dn.to_lowercase()).collect();
    let mut waiting: VecDeque<(Group, Option<String>)> =
        direct.into_iter().map(|group| (group, None)).collect();
    while let Some((group, below)) = waiting.pop_front() {
        if seen.len() > GROUPS_MAX {
            return Err(format!("an account is in more than {GROUPS_MAX} groups"));
        }
        // A group without the value that is kept is a step of the path all the same.
        let name = group.values.first().unwrap_or(&group.dn);
        let path = below.as_ref().map_or_else(|| name.clone(), |below| format!("{name}{VIA}{below}"));
        if below.is_some() {
            found.paths.extend(group.values.iter().map(|value| match &below {
                Some(below) => format!("{value}{VIA}{below}"),
                None => value.clone(),
            }));
        }
        let above = match known.0.get(&group.dn) {
            Some(above) => above.clone(),
            None => {
                let mut above = groups_with(ldap, search, settings, &group.dn, &mut found.referrals).await?;
                above.sort_unstable_by(|a, b| a.dn.cmp(&b.dn));
                if known.0.len() < REMEMBERED_MAX {
                    known.0.insert(group.dn.clone(), above.clone());
                }
                above
            }
        };
        found.groups.extend(group.values);
        for group in above {
            if seen.insert(group.dn.to_lowercase()) {
                waiting.push_back((group, Some(path.clone())));
            }
        }
    }
    found.paths.sort_unstable();
    Ok(())
}

/// The groups that have this value as a member.
async fn groups_with(
    ldap: &mut Ldap,
    search: &Search,
    settings: &GroupSettings,
    value: &str,
    referrals: &mut u64,
) -> Result<Vec<Group>, String> {
    let filter = format!("(&{}({}={}))", settings.filter, settings.member_attribute, ldap_escape(value));
    let search =
        Search { base_dn: search.base_dn.clone(), filter, attributes: search.attributes.clone(), ..*search };
    let (mut groups, mut cookie) = (Vec::new(), Vec::new());
    loop {
        let Page { entries, referrals: met, next } = page(ldap, &search, cookie).await;
        *referrals += met;
        for entry in entries {
            let dn = entry.dn.clone().unwrap_or_default();
            groups.push(Group { dn, values: group_value(entry, &settings.value) });
        }
        cookie = match next {
            Next::Page(cookie) => cookie,
            Next::End => return Ok(groups),
            Next::Cut(reason) | Next::Refused(reason) => {
                return Err(format!("the groups of an account could not be read: {reason}"));
            }
        };
    }
}

fn group_value(group: Entry, wanted: &str) -> Vec<String> {
    if wanted.eq_ignore_ascii_case(DN) {
        return group.dn.into_iter().collect();
    }
    let found = group.attributes.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    found.map(|(name, values)| values::texts(&name, values)).unwrap_or_default()
}

/// Whether the server gave an attribute in part.
pub(super) fn has_parts(account: &Entry) -> bool {
    account.attributes.iter().any(|(name, _)| entry::range(name).is_some())
}

/// Replaces attributes that the server gave in part by the whole of them.
///
/// # Errors
/// Why the rest could not be had.
pub(super) async fn complete_values(
    ldap: &mut Ldap,
    search: &Search,
    account: &mut Entry,
) -> Result<(), String> {
    for index in 0..account.attributes.len() {
        let Some((name, mut next)) = entry::range(&account.attributes[index].0) else { continue };
        let Some(dn) = account.dn.clone() else { continue };
        let mut parts = 0;
        while let Some(from) = next {
            parts += 1;
            let search = Search {
                base_dn: dn.clone(),
                scope: Scope::Base,
                filter: "(objectClass=*)".to_owned(),
                attributes: vec![format!("{name};range={from}-*")],
                ..*search
            };
            let failed = |reason: &str| format!("values {from} and on of {name:?} of an account: {reason}");
            let Page { entries, next: ended, .. } = page(ldap, &search, Vec::new()).await;
            if let Next::Cut(reason) | Next::Refused(reason) = ended {
                return Err(failed(&reason));
            }
            let part = entries.into_iter().next().into_iter().flat_map(|entry| entry.attributes).find_map(
                |(description, values)| {
                    let (found, next) = entry::range(&description)?;
                    (found.eq_ignore_ascii_case(&name)).then_some((values, next))
                },
            );
            let Some((values, following)) = part.filter(|(_, following)| {
                parts < PARTS_MAX && following.is_none_or(|following| following > from)
            }) else {
                return Err(failed("the server did not give them"));
            };
            account.attributes[index].1.extend(values);
            next = following;
        }
        account.attributes[index].0 = name;
    }
    // The server may name the attribute without the option too, then without values.
    account.attributes.retain(|(_, values)| !values.is_empty());
    Ok(())
}
