//! What an account is a member of, and the rest of values that a server gives in parts.
//!
//! Groups are searched for account by account: a table from members to groups would grow with the directory.

use ldap3::{Ldap, Scope, ldap_escape};

use super::entry::{self, Entry};
use super::search::{Next, Page, Search, page};
use super::settings::{DN, GroupSettings};
use super::values;

/// Most parts in which the values of one attribute are requested.
const PARTS_MAX: usize = 100_000;

/// The groups that name the account, as `settings.value` tells them, and the referrals met.
///
/// # Errors
/// Why the search did not come to its end.
pub(super) async fn groups_of(
    ldap: &mut Ldap,
    search: &Search,
    settings: &GroupSettings,
    account: &Entry,
) -> Result<(Vec<String>, u64), String> {
    let (mut groups, mut referrals) = (Vec::new(), 0);
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
        let filter =
            format!("(&{}({}={}))", settings.filter, settings.member_attribute, ldap_escape(value.as_str()));
        let search = Search {
            base_dn: search.base_dn.clone(),
            filter,
            attributes: search.attributes.clone(),
            ..*search
        };
        let mut cookie = Vec::new();
        loop {
            let Page { entries, referrals: met, next } = page(ldap, &search, cookie).await;
            referrals += met;
            for group in entries {
                groups.extend(group_value(group, &settings.value));
            }
            cookie = match next {
                Next::Page(cookie) => cookie,
                Next::End => break,
                Next::Cut(reason) | Next::Refused(reason) => {
                    return Err(format!("the groups of an account could not be read: {reason}"));
                }
            };
        }
    }
    groups.sort_unstable();
    groups.dedup();
    Ok((groups, referrals))
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
