//! A search of documents that is answered at once, page by page: what is asked, and what is found.

use crate::arguments::{ITEMS_BYTES_MAX, ITEMS_MAX};
use crate::error::{Error, Result};
use crate::search_filter::SearchFilters;
use serde_json::{Map, Value};

/// Documents of a page where the request says nothing.
pub const PAGE_DOCUMENTS_DEFAULT: u32 = 250;

/// Most documents of a page.
pub const PAGE_DOCUMENTS_MAX: u32 = 10_000;

/// Most documents that an offset and a limit reach together. `searchAfter` reaches all of them.
pub const WINDOW_DOCUMENTS_MAX: u32 = 10_000;

/// Most sort keys of a search. The condition for the documents after a page has a part for each.
pub const SORT_KEYS_MAX: usize = 32;

/// What is searched for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentSearch {
    /// The query's text.
    pub query: String,
    /// The types of document, by index name. Empty or `*` means all of them.
    pub indices: Vec<String>,
    /// `field`, `+field` or `-field`. The id is always the last key.
    pub sort: Vec<String>,
    /// The fields in which words without a field are looked for. If there are none, all of them.
    pub fields: Vec<String>,
    /// Conditions beside the query.
    pub filters: SearchFilters,
}

/// Which fields of a document are shown. A `*` in a name stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownFields {
    /// Only these, and what is below them; all if there are none.
    pub includes: Vec<String>,
    /// Not these, nor what is below them.
    pub excludes: Vec<String>,
    /// Whether lists of objects are shown.
    pub nested: bool,
}

impl Default for ShownFields {
    /// Everything.
    fn default() -> Self {
        Self { includes: Vec::new(), excludes: Vec::new(), nested: true }
    }
}

/// Which page of a search is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentPage {
    /// Documents to leave out at the beginning.
    pub offset: u32,
    /// Most documents of the page.
    pub limit: u32,
    /// The sort values of the last document of the page before, one for each sort key; `None` where that document has
    /// no value. Empty for a first page.
    pub after: Vec<Option<String>>,
    /// Whether all documents that the search finds are counted.
    pub counted: bool,
    /// What is shown of each document.
    pub fields: ShownFields,
}

/// A document of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundDocument {
    /// The name of its type, such as `identity`.
    pub type_name: &'static str,
    /// Its fields. Fields without a value are absent.
    pub fields: Map<String, Value>,
}

/// A page of a search.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoundPage {
    /// The documents, in order.
    pub documents: Vec<FoundDocument>,
    /// How many documents the search finds, whatever the page; `None` unless they were to be counted.
    pub total: Option<u64>,
}

impl DocumentSearch {
    /// Checks the sizes of the lists.
    ///
    /// # Errors
    /// `Invalid`, naming the list.
    pub fn check(&self) -> Result<()> {
        within_limits("indices", &self.indices, ITEMS_MAX)?;
        within_limits("fields", &self.fields, ITEMS_MAX)?;
        within_limits("sort", &self.sort, SORT_KEYS_MAX)
    }
}

impl DocumentPage {
    /// Checks the numbers and the sizes of the lists; `sort` has the search's sort keys.
    ///
    /// # Errors
    /// `Invalid`, naming the field.
    pub fn check(&self, sort: &[String]) -> Result<()> {
        if self.limit > PAGE_DOCUMENTS_MAX {
            return Err(Error::invalid(format!(
                "limit is {}: expected at most {PAGE_DOCUMENTS_MAX}; searchAfter gives the following documents",
                self.limit
            )));
        }
        if self.offset.saturating_add(self.limit) > WINDOW_DOCUMENTS_MAX {
            return Err(Error::invalid(format!(
                "offset is {} and limit is {}: expected a sum of at most {WINDOW_DOCUMENTS_MAX}; searchAfter gives the \
                 documents after these",
                self.offset, self.limit
            )));
        }
        within_limits("queryResultFilter.includes", &self.fields.includes, ITEMS_MAX)?;
        within_limits("queryResultFilter.excludes", &self.fields.excludes, ITEMS_MAX)?;
        if self.after.is_empty() {
            return Ok(());
        }
        if self.offset > 0 {
            return Err(Error::invalid(format!(
                "offset is {} and there is searchAfter: expected one of them",
                self.offset
            )));
        }
        if self.after.len() != sort.len() {
            return Err(Error::invalid(format!(
                "searchAfter has {} values and sort has {} fields: expected a value for each field",
                self.after.len(),
                sort.len()
            )));
        }
        let values: Vec<String> = self.after.iter().flatten().cloned().collect();
        within_limits("searchAfter", &values, SORT_KEYS_MAX)
    }
}

/// The fields of an index that a query can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFields {
    /// The name of the index.
    pub index: &'static str,
    /// The full names of its fields. A map whose keys are not known ends in `*`.
    pub fields: Vec<String>,
}

fn within_limits(name: &str, items: &[String], items_max: usize) -> Result<()> {
    if items.len() > items_max {
        return Err(Error::invalid(format!(
            "{name} has {} items: expected at most {items_max}",
            items.len()
        )));
    }
    let bytes: usize = items.iter().map(String::len).sum();
    if bytes > ITEMS_BYTES_MAX {
        return Err(Error::invalid(format!(
            "{name} has {bytes} bytes in its items: expected at most {ITEMS_BYTES_MAX}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn names(count: usize) -> Vec<String> {
        vec!["n".to_owned(); count]
    }

    #[test]
    fn lists_and_numbers_have_bounds() {
        let sort = names(1);
        let page = |change: fn(&mut DocumentPage)| {
            let mut page = DocumentPage { limit: PAGE_DOCUMENTS_DEFAULT, ..DocumentPage::default() };
            change(&mut page);
            page.check(&sort).map_err(|error| error.message)
        };
        assert_eq!(page(|_| {}), Ok(()));
        assert_eq!(page(|page| page.offset = 9_750), Ok(()));
        assert!(page(|page| page.offset = 9_751).unwrap_err().starts_with("offset is 9751"));
        assert!(page(|page| page.offset = u32::MAX).is_err());
        assert_eq!(page(|page| page.limit = 10_000), Ok(()));
        assert!(page(|page| page.limit = 10_001).unwrap_err().starts_with("limit is 10001"));
        assert_eq!(page(|page| page.after = vec![Some("x".into())]), Ok(()));
        assert_eq!(page(|page| page.after = vec![None]), Ok(()));
        assert!(page(|page| page.after = vec![None, None]).unwrap_err().contains("2 values"));
        let both = page(|page| (page.offset, page.after) = (1, vec![None]));
        assert!(both.unwrap_err().starts_with("offset is 1 and there is searchAfter"));
        let many = page(|page| page.fields.excludes = names(501));
        assert!(many.unwrap_err().starts_with("queryResultFilter.excludes has 501 items"));

        let search = |sort| DocumentSearch { sort, ..DocumentSearch::default() }.check();
        assert!(search(names(32)).is_ok());
        assert_eq!(search(names(33)).unwrap_err().message, "sort has 33 items: expected at most 32");
        assert!(search(vec!["x".repeat(32 * 1024)]).is_ok());
        assert!(search(vec!["x".repeat(32 * 1024 + 1)]).unwrap_err().message.contains("32769 bytes"));
    }
}
