//! The pages of a list, in order, each element once, with proof that none is missing.
//!
//! By offset, a page begins with the last element of the page before: if another one is there, elements were added or
//! removed meanwhile and the places of all have moved. Search-backed lists refuse places beyond 10,000; there the list
//! goes on after the last id. The end of a list is a page that brings nothing new, never a total alone, for a total
//! may itself be cut off at 10,000.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::service::{Refusal, Request, Service};

/// Places that search-backed lists know: `offset + limit` may not be more.
const WINDOW: u64 = 10_000;

/// What is listed.
pub(super) enum List {
    /// Elements of a path, in the order of `sorters`, which must be unique.
    Path {
        /// The path, from the host on.
        path: String,
        /// What else the query says.
        query: Vec<(&'static str, String)>,
        /// The attribute to sort by.
        sorters: &'static str,
    },
    /// The documents of a search index, by id.
    Search {
        /// The path, from the host on.
        path: String,
        /// The index.
        index: &'static str,
    },
}

/// How the next page is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Offset,
    AfterId,
}

/// A list that is being read.
pub(super) struct Pages {
    list: List,
    page_size: u64,
    way: Way,
    first_id: Option<String>,
    last_id: Option<String>,
    begun: bool,
    /// Elements given so far.
    pub(super) seen: u64,
    /// How many there are, as the tenant said with the first page.
    pub(super) total: Option<u64>,
}

impl Pages {
    pub(super) fn new(list: List, page_size: u16) -> Self {
        let way = match list {
            List::Path { .. } => Way::Offset,
            List::Search { .. } => Way::AfterId,
        };
        let (first_id, last_id) = (None, None);
        Self {
            list,
            page_size: u64::from(page_size),
            way,
            first_id,
            last_id,
            begun: false,
            seen: 0,
            total: None,
        }
    }

    /// Whether a page has come.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// The elements of the next page that have not been given; `None` at the end, which [`end`](Self::end) examines.
    pub(super) async fn next(&mut self, service: &mut Service) -> Result<Option<Vec<Value>>, String> {
        let answer = loop {
            let request = self.list.request(self.page_size, !self.begun, &self.place());
            match service.ask(&request).await {
                Ok(answer) => break answer,
                Err(Refusal::Status(StatusCode::BAD_REQUEST, _)) if self.may_go_on_after_id() => {
                    self.way = Way::AfterId;
                }
                Err(Refusal::TooLong) if self.page_size > 2 => self.page_size = (self.page_size / 2).max(2),
                Err(refusal) => return Err(refusal.reason()),
            }
        };
        let Value::Array(mut elements) = answer.body else {
            return Err("the answer is not a list".to_owned());
        };
        if !self.begun {
            self.begun = true;
            self.total = answer.total;
            self.first_id = elements.first().and_then(id);
        } else if self.way == Way::Offset && self.seen > 0 {
            if elements.first().map(id) != Some(self.last_id.clone()) {
                return Err(
                    "the list changed while it was read: its elements have other places now".to_owned()
                );
            }
            elements.remove(0);
        } else if let Some(first) = elements.first().map(id)
            && (first.is_none() || first == self.first_id || first == self.last_id)
        {
            return Err("the tenant does not continue the list after an id".to_owned());
        }
        let Some(last) = elements.last() else { return Ok(None) };
        self.last_id = id(last);
        if self.last_id.is_none() && self.way == Way::AfterId {
            return Err("an element has no id to continue after".to_owned());
        }
        self.seen += elements.len() as u64;
        Ok(Some(elements))
    }

    /// Whether all have come: as many as were reported at first and are reported now.
    pub(super) async fn end(&self, service: &mut Service) -> Result<(), String> {
        let Some(total) = self.total else {
            return Err("the tenant does not report how many elements the list has".to_owned());
        };
        if total != self.seen {
            return Err(format!("the tenant gave {} elements of the {total} that it reports", self.seen));
        }
        let request = self.list.request(1, true, &Place::Offset(0));
        let answer = service.ask(&request).await.map_err(Refusal::reason)?;
        match answer.total {
            Some(after) if after == total => Ok(()),
            Some(after) => {
                Err(format!("the tenant reported {total} elements at first and {after} at the end"))
            }
            None => Err("the tenant does not report how many elements the list has at the end".to_owned()),
        }
    }

    /// Lists sorted by id can be continued after one where offsets are not taken any more.
    fn may_go_on_after_id(&self) -> bool {
        let by_id = matches!(self.list, List::Path { sorters: "id", .. });
        by_id && self.way == Way::Offset && self.last_id.is_some() && self.offset() + self.page_size > WINDOW
    }

    fn offset(&self) -> u64 {
        self.seen.saturating_sub(1)
    }

    fn place(&self) -> Place<'_> {
        match (self.way, &self.last_id) {
            (Way::AfterId, Some(last)) => Place::After(last),
            (Way::Offset | Way::AfterId, _) => Place::Offset(self.offset()),
        }
    }
}

/// Where a page begins.
enum Place<'a> {
    Offset(u64),
    After(&'a str),
}

impl List {
    fn request(&self, limit: u64, count: bool, place: &Place<'_>) -> Request {
        let mut asked = vec![("limit", limit.to_string())];
        if count {
            asked.push(("count", "true".to_owned()));
        }
        match self {
            Self::Path { path, query, sorters } => {
                asked.push(("sorters", (*sorters).to_owned()));
                asked.extend(query.iter().cloned());
                asked.push(match place {
                    Place::Offset(offset) => ("offset", offset.to_string()),
                    Place::After(last) => ("searchAfter", (*last).to_owned()),
                });
                Request { path: path.clone(), query: asked, body: None }
            }
            Self::Search { path, index } => {
                let mut body = json!({"indices": [index], "query": {"query": "*"}, "sort": ["id"]});
                if let Place::After(last) = place {
                    body["searchAfter"] = json!([last]);
                }
                Request { path: path.clone(), query: asked, body: Some(body) }
            }
        }
    }
}

fn id(element: &Value) -> Option<String> {
    element.get("id")?.as_str().map(str::to_owned)
}
