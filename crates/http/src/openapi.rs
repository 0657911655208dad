//! The OpenAPI document of our own, made from the handlers.
//!
//! Handlers are described once, under `/reports/v1`; the same operations are then written out for
//! every other prefix. The checked copy is `openapi.json` at the repository root.

pub(crate) mod answers;

use crate::api_version::PUBLISHED;
use crate::{health, oauth, reports};
use answers::{FileFormatParameter, HeadRefusals};
use axum::http::StatusCode;
use axum::response::Response;
use muster_wire::Unauthorized;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::schema::{ArrayItems, Object, Schema};
use utoipa::openapi::security::{ClientCredentials, Flow, OAuth2, Scopes, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, RefOr};
use utoipa::{IntoResponses, Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Muster",
        description = "Reports Data Extraction over identity data that its users hold. The report operations \
            answer under /v3/reports, /v2024/reports, /v2025/reports, /v2026/reports and /reports/v1 alike; a \
            doubled slash is one, and one at the end is none.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "http://127.0.0.1:8080", description = "A service with its default settings, on this machine.")),
    paths(
        reports::run::start_report,
        reports::result::get_report_result,
        reports::result::get_task_result,
        reports::result::list_results,
        reports::file::get_report,
        reports::file::get_any_file,
        reports::compare::compare_reports,
        reports::evidence::get_evidence,
        reports::evidence::get_evidence_key,
        reports::cancel::cancel_report,
        reports::cover::get_cover,
        reports::definitions::list_reports,
        reports::custom::start_custom_report,
        oauth::create_token,
        health::live,
        health::ready,
        get_document,
    ),
    // What the handlers' answers name only through `IntoResponses` or as a parameter.
    components(schemas(Unauthorized, FileFormatParameter)),
    tags(
        (name = "Reports Data Extraction", description = "The four published operations."),
        (name = "Muster", description = "Operations of our own."),
        (name = "Authentication", description = "Access tokens."),
    ),
    modifiers(&Security, &HeadRefused),
)]
struct Described;

/// Adds [`HeadRefusals`] to every operation.
struct HeadRefused;

impl Modify for HeadRefused {
    fn modify(&self, document: &mut Document) {
        for item in document.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                for (status, response) in HeadRefusals::responses() {
                    operation.responses.responses.entry(status).or_insert(response);
                }
            }
        }
    }
}

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut Document) {
        let flow = |scopes: Scopes| {
            SecurityScheme::OAuth2(OAuth2::new([Flow::ClientCredentials(ClientCredentials::new(
                "/oauth/token",
                scopes,
            ))]))
        };
        let scopes = || {
            Scopes::from_iter([
                ("sp:report:read", "Read results and files."),
                ("sp:report:manage", "Start and cancel reports, and read their results."),
                ("sp:scopes:all", "Everything."),
            ])
        };
        for item in document.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                // An empty list says that a route is open; an absent one, that nobody thought of it.
                operation.security.get_or_insert_default();
            }
        }
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("userAuth", flow(scopes()));
        components.add_security_scheme("applicationAuth", flow(scopes()));
    }
}

/// The document.
pub fn document() -> Document {
    let mut document = Described::openapi();
    let described: Vec<_> = document
        .paths
        .paths
        .iter()
        .filter_map(|(path, item)| {
            path.strip_prefix("/reports/v1").map(|rest| (rest.to_owned(), item.clone()))
        })
        .collect();
    for (prefix, version) in PUBLISHED {
        for (rest, item) in &described {
            let item = with_operation_ids(item.clone(), version.operation_suffix());
            document.paths.paths.insert(format!("{prefix}{rest}"), item);
        }
    }
    place_enumerations(&mut document);
    document
}

/// Puts enumerations where they are used and takes their names away: of named ones generators of clients make
/// constants of one package, where values that two enumerations share would be declared twice.
fn place_enumerations(document: &mut Document) {
    let components = document.components.get_or_insert_default();
    let mut named = BTreeMap::new();
    components.schemas.retain(|name, schema| match schema {
        RefOr::T(Schema::Object(object)) if object.enum_values.is_some() => {
            named.insert(format!("#/components/schemas/{name}"), object.clone());
            false
        }
        RefOr::T(_) | RefOr::Ref(_) => true,
    });
    components.schemas.values_mut().for_each(|schema| place(schema, &named));
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            let schemas = operation.parameters.iter_mut().flatten().filter_map(|parameter| match parameter {
                RefOr::T(parameter) => parameter.schema.as_mut(),
                RefOr::Ref(_) => None,
            });
            schemas.for_each(|schema| place(schema, &named));
        }
    }
}

/// Puts enumerations in place of the references to them in one schema.
fn place(schema: &mut RefOr<Schema>, named: &BTreeMap<String, Object>) {
    match schema {
        RefOr::Ref(reference) => {
            let Some(mut enumeration) = named.get(&reference.ref_location).cloned() else { return };
            if !reference.description.is_empty() {
                enumeration.description = Some(reference.description.clone());
            }
            *schema = RefOr::T(Schema::Object(enumeration));
        }
        RefOr::T(Schema::Array(array)) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                place(items, named);
            }
        }
        RefOr::T(Schema::Object(object)) => {
            object.properties.values_mut().for_each(|property| place(property, named));
        }
        RefOr::T(Schema::OneOf(one)) => one.items.iter_mut().for_each(|item| place(item, named)),
        RefOr::T(_) => {}
    }
}

/// Operation ids are unique in a document, so each version has its own.
fn with_operation_ids(mut item: PathItem, suffix: &str) -> PathItem {
    for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
        if let Some(id) = &mut operation.operation_id {
            id.push_str(suffix);
        }
    }
    item
}

/// The document as JSON text, with a line end.
pub(crate) static DOCUMENT_JSON: LazyLock<String> = LazyLock::new(|| {
    let text = document().to_pretty_json();
    text.expect("the document is made of maps and texts") + "\n"
});

/// Get this document
///
/// The OpenAPI document of this service.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getOpenApiDocument",
    tag = "Muster",
    responses((status = 200, description = "The document.", body = Object)),
)]
pub(crate) async fn get_document() -> Response {
    crate::failure::json_bytes(StatusCode::OK, DOCUMENT_JSON.as_str())
}
