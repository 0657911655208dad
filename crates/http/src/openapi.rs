//! The OpenAPI document of our own, made from the operations of the registered routes.
//!
//! The checked copy is `openapi.json` at the repository root.

pub(crate) mod answers;

use answers::{FileFormatParameter, HistoryInterval, IndexParameter};
use muster_reports::caller::{DataScope, Scope, UserIdentity, UserLevel};
use muster_reports::ids::{ClientId, TenantId};
use muster_reports::{Caller, Operation};
use muster_wire::Unauthorized;
use std::collections::BTreeMap;
use utoipa::openapi::schema::{ArrayItems, Object, Schema};
use utoipa::openapi::security::{
    ClientCredentials, Flow, OAuth2, Scopes, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{OpenApi as Document, RefOr, Required};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Muster",
        description = "Reports Data Extraction over identity data that its users hold. The report operations \
            answer under /v3/reports, /v2024/reports, /v2025/reports, /v2026/reports and /reports/v1 alike; a \
            doubled slash is one, and one at the end is none. The search operations answer under /v3/search, \
            /v2024/search, /v2025/search, /v2026/search and /search/v1 alike, the list of tasks under \
            /v3/task-status, /v2024/task-status, /v2025/task-status, /v2026/task-status, /task-status/v1 and \
            /beta/task-status, saved searches under /v3/saved-searches and so on, scheduled searches under \
            /v3/scheduled-searches and so on, and the history of identities under /v2024/historical-identities, \
            /v2025/historical-identities, /v2026/historical-identities and /historical-identities/v1.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "http://127.0.0.1:8080", description = "A service with its default settings, on this machine.")),
    // Schemas that operations name only through `IntoResponses` or as a parameter.
    components(schemas(Unauthorized, FileFormatParameter, HistoryInterval, IndexParameter)),
    tags(
        (name = "Reports Data Extraction", description = "The four published operations."),
        (name = "Search", description = "The published search operations."),
        (name = "Saved Search", description = "The published operations on saved searches."),
        (name = "Scheduled Search", description = "The published operations on scheduled searches."),
        (name = "Task Management", description = "The published list of tasks."),
        (name = "Identity History", description = "The published operations on identities of earlier snapshots."),
        (name = "Muster", description = "Operations of our own."),
        (name = "Authentication", description = "Access tokens."),
    ),
    modifiers(&Security),
)]
struct WithoutOperations;

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
                ("sp:search:read", "Search documents, and count them."),
                ("idn:task-management:read", "Read the list of tasks."),
                ("idn:task-management:write", "End tasks, and read the list of them."),
                ("sp:saved-search:read", "Read saved searches."),
                ("sp:saved-search:manage", "Keep, change, execute and remove saved searches."),
                ("sp:scheduled-search:manage", "Read, make, change and remove scheduled searches."),
                ("idn:identity-history:read", "Read the history of identities."),
                ("idn:identity-history:manage", "Read the history of identities."),
                ("sp:scopes:all", "Everything."),
            ])
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("userAuth", flow(scopes()));
        components.add_security_scheme("applicationAuth", flow(scopes()));
    }
}

/// The document of these operations.
pub(crate) fn document(operations: Document) -> Document {
    let mut document = WithoutOperations::openapi();
    document.merge(operations);
    place_enumerations(&mut document);
    place_optional_bodies(&mut document);
    document
}

/// The scopes of which a caller needs one for an operation, as a user and as an application. They are found by asking the
/// rule that decides about requests, so the document cannot differ from it.
pub(crate) fn security(operation: Operation) -> Vec<SecurityRequirement> {
    // Beside the level of an auditor no other counts.
    let levels = UserLevel::ALL.into_iter().filter(|level| *level != UserLevel::Auditor).collect();
    let user = UserIdentity { id: String::new(), name: String::new(), levels, audit: None };
    let kinds = [("userAuth", Some(user)), ("applicationAuth", None)];
    let requirements = kinds.into_iter().map(|(scheme, user)| {
        let caller = |scope| Caller {
            tenant: TenantId::new(""),
            client: ClientId::new(""),
            user: user.clone(),
            scopes: vec![scope],
            data_scope: DataScope::Everything,
            trace: None,
        };
        let scopes = [
            Scope::ReportRead,
            Scope::ReportManage,
            Scope::SearchRead,
            Scope::TaskManagementRead,
            Scope::TaskManagementWrite,
            Scope::SavedSearchRead,
            Scope::SavedSearchManage,
            Scope::ScheduledSearchManage,
            Scope::SodPolicyRead,
            Scope::SodPolicyManage,
            Scope::SodViolationRead,
            Scope::SodViolationManage,
            Scope::IdentityHistoryRead,
            Scope::IdentityHistoryManage,
        ];
        let is_enough = |scope: &Scope| caller(*scope).authorise(operation).is_ok();
        let mut enough: Vec<_> = scopes.into_iter().filter(is_enough).collect();
        if enough.is_empty() && is_enough(&Scope::All) {
            enough.push(Scope::All);
        }
        (scheme, enough.into_iter().map(Scope::as_str).collect::<Vec<_>>())
    });
    let possible = requirements.filter(|(_, scopes)| !scopes.is_empty());
    possible.map(|(scheme, scopes)| SecurityRequirement::new(scheme, scopes)).collect()
}

/// Says of a body that may be absent that it is not required, instead of that it may be null.
fn place_optional_bodies(document: &mut Document) {
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.post, &mut item.put, &mut item.patch];
        let bodies =
            operations.into_iter().flatten().filter_map(|operation| match &mut operation.request_body {
                Some(RefOr::T(body)) => Some(body),
                Some(RefOr::Ref(_)) | None => None,
            });
        for body in bodies.filter(|body| body.required.is_none()) {
            body.required = Some(Required::False);
            for content in body.content.values_mut() {
                let RefOr::T(content) = content else { continue };
                let Some(RefOr::T(Schema::OneOf(alternatives))) = &content.schema else { continue };
                let reference = alternatives.items.iter().find(|one| matches!(one, RefOr::Ref(_))).cloned();
                content.schema = reference.or_else(|| content.schema.clone());
            }
        }
    }
}

/// Replaces references to enumerations by the enumerations. From named ones, client generators make constants of one
/// package, in which a value of two enumerations would be declared twice.
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
        for operation in [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete]
            .into_iter()
            .flatten()
        {
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
