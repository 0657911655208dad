//! Identities: a search, and one identity with its accounts, its access, and what changed.

use crate::api::{Counted, Refusal, encoded};
use crate::fields::{Fields, address};
use crate::link::link_address;
use crate::look::{Moment, NOTHING, count, text, value};
use crate::page::{Layout, Section, shown};
use crate::problem::Problem;
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Identities of a page.
const PAGE: u64 = 50;
/// The API returns no documents after this many.
const REACH: u64 = 10_000;
/// Changes that a page shows.
const CHANGES: usize = 100;
/// Gains of access that are read, to say since when an identity has it.
const GAINS: usize = 250;

fn layout(title: impl Into<String>, visitor: &Visitor) -> Layout {
    Layout::new(title, Section::Identities, Some(&visitor.session))
}

struct Row {
    address: String,
    name: String,
    email: String,
    status: String,
    accounts: String,
    access: String,
}

#[derive(Template)]
#[template(path = "identities.html")]
struct IdentitiesPage {
    layout: Layout,
    query: String,
    rows: Vec<Row>,
    total: String,
    error: String,
    newer: Option<String>,
    older: Option<String>,
}

/// A name to show for an identity.
fn name_of(document: &Value) -> String {
    let named = ["displayName", "name", "id"].into_iter().filter_map(|member| document[member].as_str());
    named.map(str::to_owned).next().unwrap_or_default()
}

fn status_of(document: &Value) -> String {
    let state = &document["attributes"]["cloudLifecycleState"];
    let stated = [&document["status"], state].into_iter().find(|state| !state.is_null());
    stated.map_or_else(|| NOTHING.to_owned(), value)
}

/// The list: `?q=` is a query, as in a search.
pub(crate) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let asked = query.text("q");
    let page = u64::from(query.number("page").max(1));
    let offset = (page - 1).saturating_mul(PAGE).min(REACH - PAGE);
    let body = json!({
        "indices": ["identities"], "sort": ["displayName"],
        "query": {"query": if asked.is_empty() { "*" } else { asked }},
    });
    let route = format!("/search/v1?limit={PAGE}&offset={offset}&count=true");
    let answer: Result<Counted<Vec<Value>>, Refusal> = visitor.api.send(Method::POST, &route, &body).await;
    let (documents, total, error) = match answer {
        Ok(found) => (found.body, found.total.unwrap_or(0), String::new()),
        Err(refusal) if refusal.status == StatusCode::BAD_REQUEST => (Vec::new(), 0, refusal.text),
        Err(refusal) => return Err(refusal.into()),
    };
    let number = |given: &Value| given.as_u64().map_or_else(|| NOTHING.to_owned(), count);
    let row = |document: &Value| Row {
        address: format!("/ui/identities/{}", encoded(document["id"].as_str().unwrap_or_default())),
        name: name_of(document),
        email: text(document, "email"),
        status: status_of(document),
        accounts: number(&document["accountCount"]),
        access: number(&document["accessCount"]),
    };
    let to = |page: u64| address("/ui/identities", [("q", asked.to_owned()), ("page", page.to_string())]);
    shown(&IdentitiesPage {
        layout: layout("Identities", &visitor),
        query: asked.to_owned(),
        rows: documents.iter().map(row).collect(),
        total: count(total),
        error,
        newer: (page > 1).then(|| to(page - 1)),
        older: (offset + PAGE < total.min(REACH)).then(|| to(page + 1)),
    })
}

/// A member of an identity: a time, or a text.
struct Fact {
    name: &'static str,
    at: Moment,
    value: String,
}

struct Account {
    source: String,
    name: String,
    /// The page that says why it is linked.
    why: String,
    state: &'static str,
    created: Moment,
    since: Since,
}

/// Since when an identity has something.
enum Since {
    /// A snapshot showed it first.
    At(Moment),
    /// The first kept snapshot shows it.
    First,
    /// The history does not say it, or may not be read.
    Unknown,
}

/// When an identity gained what it has, by the id of the access item; nothing where the history may not be read.
struct Gained {
    known: Option<HashMap<String, Moment>>,
    /// Whether all gains are known.
    is_whole: bool,
}

impl Gained {
    /// From the events, the newest first.
    fn of(events: Option<&[Value]>) -> Self {
        let known = events.map(|events| {
            let mut gained = HashMap::new();
            for event in events {
                if let Some(id) = event["accessItem"]["id"].as_str() {
                    gained.entry(id.to_owned()).or_insert(Moment::of_value(&event["dateTime"]));
                }
            }
            gained
        });
        Self { known, is_whole: events.is_some_and(|events| events.len() < GAINS) }
    }

    fn since(&self, item: &Value) -> Since {
        let (Some(known), Some(id)) = (&self.known, item["id"].as_str()) else { return Since::Unknown };
        match known.get(id) {
            Some(at) => Since::At(*at),
            None if self.is_whole => Since::First,
            None => Since::Unknown,
        }
    }
}

struct Access {
    since: Since,
    kind: String,
    name: String,
    source: String,
    detail: String,
}

struct Change {
    at: Moment,
    kind: String,
    what: String,
}

#[derive(Template)]
#[template(path = "identity.html")]
struct IdentityPage {
    layout: Layout,
    name: String,
    id: String,
    facts: Vec<Fact>,
    attributes: Vec<(String, String)>,
    accounts: Vec<Account>,
    access: Vec<Access>,
    changes: Vec<Change>,
    /// Why there are no changes to see.
    without_changes: String,
    first: Moment,
}

fn account(account: &Value, gained: &Gained) -> Account {
    let native = account["accountId"].as_str().unwrap_or_default();
    let source = account["source"]["id"].as_str().unwrap_or_default();
    let is = |member: &str| account[member].as_bool().unwrap_or(false);
    Account {
        since: gained.since(account),
        why: if native.is_empty() { String::new() } else { link_address(source, native) },
        source: text(&account["source"], "name"),
        name: [&account["accountId"], &account["name"], &account["id"]]
            .into_iter()
            .find_map(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        state: match (is("disabled"), is("locked")) {
            (true, _) => "Disabled",
            (false, true) => "Locked",
            (false, false) => "Enabled",
        },
        created: Moment::of_value(&account["created"]),
    }
}

fn access(access: &Value, gained: &Gained) -> Access {
    // The name of an entitlement is often its value.
    let is_named = access["value"] == access["name"];
    let detail = [&access["attribute"], if is_named { &Value::Null } else { &access["value"] }];
    let detail = detail.into_iter().filter(|part| !part.is_null());
    Access {
        since: gained.since(access),
        kind: text(access, "type").replace('_', " ").to_lowercase(),
        name: name_of(access),
        source: text(&access["source"], "name"),
        detail: detail.map(value).collect::<Vec<_>>().join(" = "),
    }
}

/// A change in a line.
fn change(event: &Value) -> Change {
    let item = &event["accessItem"];
    let named = || {
        let source = item["sourceName"].as_str().map_or_else(String::new, |source| format!(" ({source})"));
        format!("{} {}{source}", text(event, "accessItemType"), text(item, "displayName"))
    };
    let (kind, what) = match event["eventType"].as_str().unwrap_or_default() {
        "AccessItemAssociated" => ("Gained", named()),
        "AccessItemRemoved" => ("Lost", named()),
        "AttributesChanged" => {
            let changes = event["attributeChanges"].as_array().into_iter().flatten();
            let told = changes.map(|change| {
                let (old, new) = (text(change, "previousValue"), text(change, "newValue"));
                format!("{}: {old} → {new}", text(change, "name"))
            });
            ("Changed", told.collect::<Vec<_>>().join("; "))
        }
        "AccountStatusChanged" => {
            let (account, states) = (&event["account"], &event["statusChange"]);
            let (old, new) = (text(states, "previousStatus"), text(states, "newStatus"));
            let source = text(account, "sourceName");
            ("Account", format!("{} ({source}): {old} → {new}", text(account, "nativeIdentity")))
        }
        other => (other, String::new()),
    };
    Change { at: Moment::of_value(&event["dateTime"]), kind: kind.to_owned(), what }
}

/// The members of an identity's document that are told first.
const FACTS: [(&str, &str); 6] = [
    ("Name", "name"),
    ("Email", "email"),
    ("Employee number", "employeeNumber"),
    ("Status", "status"),
    ("Created", "created"),
    ("Modified", "modified"),
];

/// One identity.
pub(crate) async fn one(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    let document: Value = visitor.api.get(&format!("/search/v1/identities/{}", encoded(&id))).await?;
    let history = format!("/historical-identities/v1/{}", encoded(&id));
    let events: Result<Vec<Value>, Refusal> =
        visitor.api.get(&format!("{history}/events?limit={CHANGES}")).await;
    let (changes, without_changes) = match events {
        Ok(events) => (events.iter().map(change).collect(), String::new()),
        Err(refusal) if matches!(refusal.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) => {
            (Vec::new(), refusal.text)
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let gains: Result<Vec<Value>, Refusal> = match without_changes.is_empty() {
        true => {
            visitor.api.get(&format!("{history}/events?limit={GAINS}&eventTypes=AccessItemAssociated")).await
        }
        false => Ok(Vec::new()),
    };
    let gained = Gained::of(gains.ok().as_deref().filter(|_| without_changes.is_empty()));
    let first = if without_changes.is_empty() {
        let since: Result<Value, Refusal> = visitor.api.get(&format!("{history}/start-date")).await;
        since.map_or(Moment(None), |since| Moment::of_value(&since))
    } else {
        Moment(None)
    };
    let fact = |(name, member): (&'static str, &str)| {
        let given = &document[member];
        (!given.is_null()).then(|| Fact { name, at: Moment::of_value(given), value: value(given) })
    };
    let all = |member: &str| document[member].as_array().map_or(&[] as &[Value], Vec::as_slice);
    let attributes = document["attributes"].as_object().into_iter().flatten();
    let name = name_of(&document);
    shown(&IdentityPage {
        layout: layout(name.as_str(), &visitor),
        facts: FACTS.into_iter().filter_map(fact).collect(),
        attributes: attributes.map(|(name, given)| (name.clone(), value(given))).collect(),
        accounts: all("accounts").iter().map(|item| account(item, &gained)).collect(),
        access: all("access").iter().map(|item| access(item, &gained)).collect(),
        name,
        id,
        changes,
        without_changes,
        first,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was lost and gained again is there since the last gain.
    #[test]
    fn access_is_there_since_its_last_gain() {
        let gain = |id: &str, at: &str| json!({"accessItem": {"id": id}, "dateTime": at});
        let events = [gain("e1", "2026-03-01T00:00:00Z"), gain("e1", "2026-01-01T00:00:00Z")];
        let told = |gained: &Gained, id: &str| match gained.since(&json!({"id": id})) {
            Since::At(at) => at.0.map(|at| at.to_rfc3339()).unwrap_or_default(),
            Since::First => "first".to_owned(),
            Since::Unknown => "unknown".to_owned(),
        };
        let gained = Gained::of(Some(&events));
        assert_eq!(
            (told(&gained, "e1"), told(&gained, "e2")),
            ("2026-03-01T00:00:00+00:00".into(), "first".into())
        );
        let many = vec![gain("e1", "2026-03-01T00:00:00Z"); GAINS];
        assert_eq!(told(&Gained::of(Some(&many)), "e2"), "unknown");
        assert_eq!(told(&Gained::of(None), "e1"), "unknown");
    }

    #[test]
    fn changes_are_told_in_a_line() {
        let gained = json!({
            "eventType": "AccessItemAssociated", "accessItemType": "role", "dateTime": "2026-03-01T00:00:00Z",
            "accessItem": {"displayName": "Admin", "sourceName": "AD"},
        });
        let told = change(&gained);
        assert_eq!((told.kind.as_str(), told.what.as_str()), ("Gained", "role Admin (AD)"));
        let changed = json!({
            "eventType": "AttributesChanged",
            "attributeChanges": [{"name": "city", "previousValue": "Rome", "newValue": null}],
        });
        assert_eq!(change(&changed).what, "city: Rome → –");
        let disabled = json!({
            "eventType": "AccountStatusChanged", "account": {"nativeIdentity": "CN=a", "sourceName": "AD"},
            "statusChange": {"previousStatus": "enabled", "newStatus": "disabled"},
        });
        assert_eq!(change(&disabled).what, "CN=a (AD): enabled → disabled");
    }
}
