//! Saved searches: the list, one, and keeping, executing and removing them.

use crate::api::{Counted, Refusal, encoded};
use crate::arguments::form_fields;
use crate::fields::{Fields, address};
use crate::form::Posted;
use crate::look::{Moment, count};
use crate::page::{Layout, Section, html, see_other, shown};
use crate::preview::{Preview, preview, search_fields};
use crate::problem::Problem;
use crate::question::{Question, act};
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use muster_wire::{SavedSearch, SearchFieldsDescription};
use serde_json::{Map, Value, json};

const ROUTE: &str = "/saved-searches/v1";
/// Searches of a page.
const PAGE: u64 = 50;
/// What can be searched.
const INDICES: [&str; 7] =
    ["identities", "entitlements", "roles", "accessprofiles", "accountactivities", "events", "*"];

fn layout(title: impl Into<String>, visitor: &Visitor) -> Layout {
    Layout::new(title, Section::Searches, Some(&visitor.session))
}

struct Row {
    address: String,
    name: String,
    query: String,
    indices: String,
    modified: Moment,
}

fn indices(search: &SavedSearch) -> String {
    search.indices.iter().map(|index| index.as_str()).collect::<Vec<_>>().join(", ")
}

#[derive(Template)]
#[template(path = "searches.html")]
struct SearchesPage {
    layout: Layout,
    rows: Vec<Row>,
    total: String,
    newer: Option<String>,
    older: Option<String>,
}

/// The list.
pub(crate) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let page = u64::from(query.number("page").max(1));
    let offset = (page - 1) * PAGE;
    let asked = format!("{ROUTE}?limit={PAGE}&offset={offset}&count=true");
    let found: Counted<Vec<SavedSearch>> = visitor.api.get_counted(&asked).await?;
    let total = found.total.unwrap_or(0);
    let row = |search: &SavedSearch| Row {
        address: format!("/ui/searches/{}", encoded(search.id.as_deref().unwrap_or_default())),
        name: search.name.clone().unwrap_or_default(),
        query: search.query.clone(),
        indices: indices(search),
        modified: Moment::of(search.modified.as_deref()),
    };
    let to = |page: u64| address("/ui/searches", [("page", page.to_string())]);
    shown(&SearchesPage {
        layout: layout("Saved searches", &visitor).noticing(query.text("done")),
        rows: found.body.iter().map(row).collect(),
        total: count(total),
        newer: (page > 1).then(|| to(page - 1)),
        older: (offset + PAGE < total).then(|| to(page + 1)),
    })
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    layout: Layout,
    name: String,
    description: String,
    query: String,
    indices: String,
    columns: Vec<(String, String)>,
    sort: String,
    created: Moment,
    modified: Moment,
    preview: Preview,
    here: String,
    as_run: String,
}

/// The arguments of a search export that finds the same.
fn arguments(search: &SavedSearch) -> Map<String, Value> {
    let mut arguments = Map::new();
    arguments.insert("query".into(), Value::from(search.query.as_str()));
    arguments.insert("indices".into(), search.indices.iter().map(|index| index.as_str()).collect());
    for (name, list) in [("sort", &search.sort), ("fields", &search.fields)] {
        if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
            arguments.insert(name.into(), Value::from(list.as_slice()));
        }
    }
    arguments
}

/// One search.
pub(crate) async fn one(
    visitor: Visitor,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let search: SavedSearch = visitor.api.get(&format!("{ROUTE}/{}", encoded(&id))).await?;
    let arguments = arguments(&search);
    // Conditions beside the query are not part of an export or of a preview.
    let has_filters = search.filters.as_ref().is_some_and(|filters| !filters.is_empty());
    let preview = if has_filters { Preview::default() } else { preview(&visitor, &arguments).await? };
    let columns = search.columns.iter().flatten().map(|(kind, columns)| {
        (kind.clone(), columns.iter().map(|column| column.field.as_str()).collect::<Vec<_>>().join(", "))
    });
    let name = search.name.clone().unwrap_or_default();
    shown(&SearchPage {
        layout: layout(name.as_str(), &visitor).noticing(query.text("done")),
        description: search.description.clone().unwrap_or_default(),
        query: search.query.clone(),
        indices: indices(&search),
        columns: columns.collect(),
        sort: search.sort.clone().unwrap_or_default().join(", "),
        created: Moment::of(search.created.as_deref()),
        modified: Moment::of(search.modified.as_deref()),
        as_run: if has_filters {
            String::new()
        } else {
            address("/ui/new/SEARCH_EXPORT", form_fields(&arguments))
        },
        here: format!("/ui/searches/{}", encoded(&id)),
        name,
        preview,
    })
}

#[derive(Template)]
#[template(path = "new_search.html")]
struct NewSearchPage {
    layout: Layout,
    name: String,
    description: String,
    query: String,
    indices: Vec<(&'static str, bool)>,
    error: String,
    preview: Preview,
    /// The fields that the query can name.
    indices_fields: Vec<SearchFieldsDescription>,
}

async fn asked(visitor: &Visitor, given: &Fields, refused: Option<&Refusal>) -> Result<Response, Problem> {
    let preview = if given.text("query").is_empty() {
        Preview::default()
    } else {
        preview(visitor, &given_arguments(given)).await?
    };
    let page = NewSearchPage {
        layout: layout("New saved search", visitor),
        name: given.text("name").to_owned(),
        description: given.text("description").to_owned(),
        query: given.text("query").to_owned(),
        indices: INDICES.map(|index| (index, given.texts("indices").any(|chosen| chosen == index))).into(),
        error: refused.map(|refusal| refusal.text.clone()).unwrap_or_default(),
        indices_fields: search_fields(visitor).await?,
        preview,
    };
    Ok(html(refused.map_or(StatusCode::OK, |refusal| refusal.status), &page))
}

fn given_arguments(given: &Fields) -> Map<String, Value> {
    let mut arguments = Map::from_iter([("query".to_owned(), Value::from(given.text("query")))]);
    let chosen: Vec<_> = given.texts("indices").collect();
    if !chosen.is_empty() {
        arguments.insert("indices".into(), Value::from(chosen));
    }
    arguments
}

/// The form of a new search.
pub(crate) async fn form(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    asked(&visitor, &Fields::read(&query.unwrap_or_default()), None).await
}

/// Keeps a search, or shows what it finds.
pub(crate) async fn keep(posted: Posted) -> Result<Response, Problem> {
    let Posted { visitor, fields: given } = posted;
    if given.text("do") != "keep" {
        return asked(&visitor, &given, None).await;
    }
    let arguments = given_arguments(&given);
    let mut body = json!({
        "name": given.text("name"), "query": given.text("query"),
        "indices": arguments.get("indices").cloned().unwrap_or_else(|| json!(["*"])),
    });
    if !given.text("description").is_empty() {
        body["description"] = Value::from(given.text("description"));
    }
    let kept: Result<Counted<SavedSearch>, Refusal> = visitor.api.send(Method::POST, ROUTE, &body).await;
    match kept {
        Ok(kept) => {
            Ok(see_other(&format!("/ui/searches/{}?done=saved", encoded(&kept.body.id.unwrap_or_default()))))
        }
        Err(refusal) if refusal.status == StatusCode::BAD_REQUEST => {
            asked(&visitor, &given, Some(&refusal)).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// Executes a search.
pub(crate) async fn execute(Path(id): Path<String>, posted: Posted) -> Result<Response, Problem> {
    let visitor = posted.visitor;
    let search: SavedSearch = visitor.api.get(&format!("{ROUTE}/{}", encoded(&id))).await?;
    let owner = search.owner.map(|owner| json!({"owner": {"type": "IDENTITY", "id": owner.id}}));
    let address = format!("{ROUTE}/{}/execute", encoded(&id));
    visitor.api.send::<Value>(Method::POST, &address, &owner.unwrap_or_else(|| json!({}))).await?;
    Ok(see_other("/ui/runs?done=executed"))
}

const REMOVE: Question = Question {
    section: Section::Searches,
    title: "Remove a saved search",
    consequence: "Schedules cannot execute it any more. The results of its executions stay.",
    yes: "Remove the search",
    word: "remove",
};

/// Asks whether to remove it.
pub(crate) async fn ask_remove(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = encoded(&id);
    let search: SavedSearch = visitor.api.get(&format!("{ROUTE}/{id}")).await?;
    let question = format!("Remove the saved search {}?", search.name.unwrap_or_default());
    REMOVE.ask(&visitor, question, format!("/ui/searches/{id}"))
}

/// Removes it.
pub(crate) async fn remove(Path(id): Path<String>, posted: Posted) -> Result<Response, Problem> {
    let route = format!("{ROUTE}/{}", encoded(&id));
    act(&posted, Method::DELETE, &route, "/ui/searches?done=removed").await
}
