//! One search, page by page.

use std::time::Duration;

use ldap3::controls::{Control, ControlType, MakeCritical, PagedResults};
use ldap3::{Ldap, LdapResult, Scope};

use super::entry::{self, Entry};

/// Result codes by which a server says that there is more than it gives, or that it cannot go on now.
const LIMITS: [(u32, &str); 5] = [
    (3, "the server's time limit"),
    (4, "the server's size limit"),
    (11, "an administrative limit of the server"),
    (51, "a server that is busy"),
    (52, "a server that is not available"),
];
/// The answer holds another server's address instead of entries.
const REFERRAL: u32 = 10;

/// What to search for.
pub(super) struct Search {
    pub(super) base_dn: String,
    pub(super) scope: Scope,
    pub(super) filter: String,
    pub(super) attributes: Vec<String>,
    pub(super) page_size: u16,
    /// For one page.
    pub(super) time_limit: Duration,
}

/// One page of answers.
#[derive(Default)]
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    pub(super) referrals: u64,
    pub(super) next: Next,
}

/// How it goes on after a page.
#[derive(Default)]
pub(super) enum Next {
    /// Everything was given.
    #[default]
    End,
    /// There is another page, with this cookie.
    Page(Vec<u8>),
    /// The server ended the search before its end; the entries of the page are good.
    Cut(String),
    /// The server refused the search.
    Refused(String),
}

/// Asks for a page; `cookie` is empty for the first.
pub(super) async fn page(ldap: &mut Ldap, search: &Search, cookie: Vec<u8>) -> Page {
    let mut page = Page::default();
    let time_limit = search.time_limit;
    page.next = match tokio::time::timeout(time_limit, fill(ldap, search, cookie, &mut page)).await {
        Ok(next) => next,
        Err(_) => Next::Cut(format!("no answer within {} seconds", time_limit.as_secs())),
    };
    page
}

async fn fill(ldap: &mut Ldap, search: &Search, cookie: Vec<u8>, page: &mut Page) -> Next {
    let lost = |error| Next::Cut(format!("the connection was lost: {error}"));
    let control = PagedResults { size: i32::from(search.page_size), cookie }.critical();
    let Search { base_dn, scope, filter, attributes, .. } = search;
    let started =
        ldap.with_controls(control).streaming_search(base_dn, *scope, filter, attributes.as_slice()).await;
    let mut answers = match started {
        Ok(answers) => answers,
        Err(error) => return lost(error),
    };
    loop {
        match answers.next().await {
            Ok(Some(answer)) if answer.is_ref() => page.referrals += 1,
            Ok(Some(answer)) if answer.is_intermediate() => {}
            Ok(Some(answer)) => match Entry::read(answer.0) {
                Some(entry) if page.entries.len() < usize::from(search.page_size) => page.entries.push(entry),
                // Without this bound a server that knows no pages would fill the memory.
                Some(_) => {
                    return Next::Cut(format!(
                        "the server gives more than the {} entries of a page",
                        search.page_size
                    ));
                }
                None => return Next::Cut("an answer of the server is not readable".to_owned()),
            },
            Ok(None) => break,
            Err(error) => return lost(error),
        }
    }
    ending(&answers.finish().await)
}

fn ending(result: &LdapResult) -> Next {
    if let Some((_, limit)) = LIMITS.iter().find(|(code, _)| *code == result.rc) {
        return Next::Cut(format!("{limit} ended the search ({})", server_text(result)));
    }
    if result.rc == REFERRAL {
        return Next::Refused("the server refers to another one, which is not followed".to_owned());
    }
    if result.rc != 0 {
        return Next::Refused(format!("the search was refused ({})", server_text(result)));
    }
    let control = result.ctrls.iter().find_map(|control| match control {
        Control(Some(ControlType::PagedResults), raw) => raw.val.as_deref(),
        _ => None,
    });
    match control.and_then(entry::cookie) {
        Some(cookie) if cookie.is_empty() => Next::End,
        Some(cookie) => Next::Page(cookie),
        None => Next::Cut("the server's answer does not tell whether there are more pages".to_owned()),
    }
}

/// The server's code and text.
pub(super) fn server_text(result: &LdapResult) -> String {
    // Its own form shows the name of the code; the text may be any length.
    let shown: String = result.to_string().chars().take(300).collect();
    shown.replace('\0', "")
}
