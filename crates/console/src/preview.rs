//! What a search would find: its number of documents, and the first of them; or where its query is wrong.

use crate::api::{Counted, Refusal};
use crate::look::{count, value};
use crate::problem::Problem;
use crate::visitor::Visitor;
use axum::http::{Method, StatusCode};
use muster_wire::SearchFieldsDescription;
use serde_json::{Map, Value, json};

/// Documents of a preview.
const DOCUMENTS: usize = 20;
/// Columns of a preview.
const COLUMNS: usize = 6;

/// A preview.
#[derive(Debug, Default)]
pub(crate) struct Preview {
    /// Whether there is something to show.
    pub(crate) is_there: bool,
    pub(crate) total: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    /// Why there is none.
    pub(crate) error: String,
    /// The line of the query with the mistake, and a mark under it.
    pub(crate) line: String,
    pub(crate) mark: String,
}

/// The column of a mistake, counted in characters from 1: `query, column 7: ...`.
fn column(text: &str) -> Option<usize> {
    let rest = text.split_once("column ")?.1;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The line that has a column of a text, and a mark under the column.
fn marked(query: &str, column: usize) -> (String, String) {
    let mut before = column.saturating_sub(1);
    for line in query.split('\n') {
        let length = line.chars().count();
        if before <= length {
            return (line.to_owned(), format!("{}^", " ".repeat(before)));
        }
        before -= length + 1;
    }
    (String::new(), String::new())
}

/// The body of a search with these arguments of a report.
fn body(arguments: &Map<String, Value>) -> Value {
    let mut body = json!({"query": {"query": arguments.get("query").cloned().unwrap_or_default()}});
    match arguments.get("indices").and_then(Value::as_array) {
        Some(indices) => body["indices"] = Value::from(indices.clone()),
        None => body["indices"] = json!(["*"]),
    }
    if let Some(sort) = arguments.get("sort") {
        body["sort"] = sort.clone();
    }
    if let Some(fields) = arguments.get("fields").and_then(Value::as_array) {
        let names: Vec<_> = fields.iter().filter_map(Value::as_str).collect();
        body["query"]["fields"] = Value::from(names.join(","));
    }
    body
}

/// The columns to show: the first that are asked for, or those that most documents have.
fn columns(arguments: &Map<String, Value>) -> Vec<String> {
    let asked = arguments.get("columns").and_then(Value::as_str).unwrap_or_default().split(',');
    let asked = asked.map(|name| name.trim().trim_end_matches(".spread")).filter(|name| !name.is_empty());
    let asked: Vec<_> = asked.take(COLUMNS).map(str::to_owned).collect();
    match asked.is_empty() {
        false => asked,
        true => ["_type", "displayName", "name", "id"].map(str::to_owned).into(),
    }
}

/// The value of a field such as `attributes.city`; through a list, of each element.
fn cell(document: &Value, path: &str) -> String {
    fn found(from: &Value, path: &[&str]) -> Value {
        match (path, from) {
            ([], _) => from.clone(),
            (_, Value::Array(items)) => items.iter().map(|item| found(item, path)).collect(),
            ([first, rest @ ..], Value::Object(members)) => {
                members.get(*first).map_or(Value::Null, |member| found(member, rest))
            }
            _ => Value::Null,
        }
    }
    value(&found(document, &path.split('.').collect::<Vec<_>>()))
}

/// The fields that a query can name, for those who may search; none before the first snapshot.
pub(crate) async fn search_fields(visitor: &Visitor) -> Result<Vec<SearchFieldsDescription>, Problem> {
    if !visitor.session.may_search() {
        return Ok(Vec::new());
    }
    match visitor.api.get("/muster/v1/search-fields").await {
        Ok(fields) => Ok(fields),
        Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => Err(refusal.into()),
        // A form is of use without them.
        Err(_) => Ok(Vec::new()),
    }
}

/// Asks for the first documents of a search.
pub(crate) async fn preview(visitor: &Visitor, arguments: &Map<String, Value>) -> Result<Preview, Problem> {
    let query = arguments.get("query").and_then(Value::as_str).unwrap_or_default();
    if query.is_empty() {
        return Ok(Preview::default());
    }
    let address = format!("/search/v1?limit={DOCUMENTS}&count=true");
    let answer: Result<Counted<Vec<Value>>, Refusal> =
        visitor.api.send(Method::POST, &address, &body(arguments)).await;
    match answer {
        Ok(found) => {
            let columns = columns(arguments);
            let row = |document: &Value| columns.iter().map(|name| cell(document, name)).collect();
            let rows = found.body.iter().map(row).collect();
            let total = found.total.map_or_else(String::new, count);
            let columns = columns.iter().map(|name| name.trim_start_matches('_').to_owned()).collect();
            Ok(Preview { is_there: true, total, rows, columns, ..Preview::default() })
        }
        Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => Err(refusal.into()),
        Err(refusal) => {
            let place = column(&refusal.text).filter(|_| refusal.status == StatusCode::BAD_REQUEST);
            let (line, mark) = place.map(|column| marked(query, column)).unwrap_or_default();
            let error = match refusal.status {
                StatusCode::FORBIDDEN => {
                    format!("Your client may not search, so there is no preview: {}", refusal.text)
                }
                StatusCode::TOO_MANY_REQUESTS => {
                    "Too many requests: wait a moment, then check again.".to_owned()
                }
                _ => refusal.text,
            };
            Ok(Preview { error, line, mark, ..Preview::default() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_marked_in_its_line() {
        assert_eq!(column("query, column 12: expected a term"), Some(12));
        assert_eq!(column("the query is empty"), None);
        assert_eq!(marked("name:(a", 6), ("name:(a".into(), "     ^".into()));
        assert_eq!(marked("a:b\nc:(d", 7), ("c:(d".into(), "  ^".into()));
        // The end of the query.
        assert_eq!(marked("ab", 3), ("ab".into(), "  ^".into()));
        assert_eq!(marked("ab", 9), (String::new(), String::new()));
    }

    #[test]
    fn cells_lead_through_objects_and_lists() {
        let document = json!({"a": {"b": "x"}, "accounts": [{"name": "n1"}, {"name": "n2"}]});
        assert_eq!(cell(&document, "a.b"), "x");
        assert_eq!(cell(&document, "accounts.name"), "n1, n2");
        assert_eq!(cell(&document, "a.c"), "–");
    }

    #[test]
    fn a_preview_asks_what_the_report_would() {
        let arguments =
            json!({"query": "a*", "sort": ["-name"], "indices": ["identities"], "fields": ["a", "b"]});
        let Value::Object(arguments) = arguments else { panic!("it is an object") };
        let expected =
            json!({"indices": ["identities"], "query": {"query": "a*", "fields": "a,b"}, "sort": ["-name"]});
        assert_eq!(body(&arguments), expected);
    }
}
