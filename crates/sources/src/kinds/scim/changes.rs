//! Whether anything changed since the last read, where the service gives its pages entity tags.
//!
//! Nothing has changed only when the service says so of every page of the last read, each asked for as it was then. One
//! page that is another now, and everything is read: pages have no order in which changes could be told from them.
//! Memberships are the groups' and not the user's, and a service may leave them out of a weak tag; where groups are
//! kept, tags must be strong.
//!
//! What is there is then told by the names of the last read, which the cursor holds; a source with more of them than
//! [`CURSOR_BYTES_MAX`] is read again each time.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::version::EntityTag;
use super::{GroupsFrom, Paging, ScimSettings};
use crate::reader::hex;

/// Longest cursor that is kept, in bytes; some 6,000 names.
const CURSOR_BYTES_MAX: usize = 256 << 10;

/// What a read goes on from, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Of the definition that the users were read by.
    definition: String,
    /// The pages in order, each with its tag and the users on it.
    pub(super) pages: Vec<(String, u64)>,
    /// Native identities.
    pub(super) names: Vec<String>,
    /// Users that the service reported.
    pub(super) total: Option<u64>,
    /// Digest of what was read.
    pub(super) digest: String,
    /// Reads that found nothing changed since everything was read.
    reads: u32,
}

impl Cursor {
    /// The cursor of the last read, if it fits the settings and nothing demands that everything be read.
    pub(super) fn of_last(text: Option<&str>, settings: &ScimSettings) -> Option<Self> {
        let changes = settings.changes?;
        let last: Self = serde_json::from_str(text?).ok()?;
        (last.definition == definition(settings)? && last.reads < changes.full_every).then_some(last)
    }

    /// As it is kept after a read that found nothing changed.
    pub(super) fn counted(mut self) -> Option<String> {
        self.reads = self.reads.saturating_add(1);
        self.text()
    }

    fn text(&self) -> Option<String> {
        serde_json::to_string(self).ok().filter(|text| text.len() <= CURSOR_BYTES_MAX)
    }
}

/// Gathers what the next read goes on from, as long as there is hope of it.
pub(super) struct Gathering {
    cursor: Option<Cursor>,
    bytes: usize,
    must_be_strong: bool,
    one_page_only: bool,
}

impl Gathering {
    pub(super) fn new(settings: &ScimSettings) -> Self {
        let cursor = settings.changes.and(definition(settings)).map(|definition| Cursor {
            definition,
            pages: Vec::new(),
            names: Vec::new(),
            total: None,
            digest: String::new(),
            reads: 0,
        });
        // What a service calls the next page by is good for a while only.
        let one_page_only = settings.paging == Paging::Cursor;
        Self { cursor, bytes: 0, must_be_strong: keeps_groups(settings), one_page_only }
    }

    /// A page with its tag.
    pub(super) fn page(&mut self, tag: Option<&str>, count: u64) {
        let Some(cursor) = &mut self.cursor else { return };
        let tag = tag.and_then(EntityTag::parse).filter(|tag| !(tag.is_weak() && self.must_be_strong));
        match tag {
            Some(tag) if cursor.pages.is_empty() || !self.one_page_only => {
                self.bytes += tag.text().len();
                cursor.pages.push((tag.text().to_owned(), count));
            }
            Some(_) | None => self.cursor = None,
        }
    }

    /// An account.
    pub(super) fn name(&mut self, native_identity: Option<&str>) {
        let (Some(cursor), Some(name)) = (&mut self.cursor, native_identity) else { return };
        self.bytes += name.len();
        if self.bytes > CURSOR_BYTES_MAX {
            self.cursor = None;
        } else {
            cursor.names.push(name.to_owned());
        }
    }

    /// The cursor as it is kept, after a read that is complete.
    pub(super) fn end(self, total: Option<u64>, digest: String) -> Option<String> {
        let mut cursor = self.cursor?;
        (cursor.total, cursor.digest) = (total, digest);
        cursor.text()
    }
}

fn definition(settings: &ScimSettings) -> Option<String> {
    Some(hex(Sha256::digest(serde_json::to_vec(settings).ok()?)))
}

/// Whether accounts show what they are members of.
fn keeps_groups(settings: &ScimSettings) -> bool {
    let is_groups =
        |name: &str| name.eq_ignore_ascii_case("groups") || name.to_ascii_lowercase().starts_with("groups.");
    let account = &settings.account;
    settings.groups == GroupsFrom::Search
        || account.attributes.as_ref().is_none_or(|names| names.iter().any(|name| is_groups(name)))
        || account.named().into_iter().any(|(_, name)| is_groups(name))
}
