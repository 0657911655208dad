//! How a route is registered: once, from its handler.
//!
//! `utoipa::path` above the handler gives path, method and description; the handler's signature gives the right. The
//! router, the OpenAPI document and the list of routes are made only from these.
//!
//! Invariants:
//! - a handler of [`Routes::needs`] takes an [`Allowed`] first, so a route without a right cannot be registered;
//! - a route for anybody is in the list [`OPEN`]; otherwise the service does not start.

use crate::access::{Allowed, Right};
use crate::api_version::ApiVersion;
use crate::failure::Failure;
use crate::input::Input;
use crate::openapi::answers::{CommonRefusals, HeadRefusals};
use crate::openapi::security;
use crate::request_log::Pattern;
use crate::state::AppState;
use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use muster_reports::Operation;
use std::sync::Arc;
use tracing::Span;
use utoipa::IntoResponses;
use utoipa::openapi::path::Operation as OperationObject;
use utoipa::openapi::{Components, HttpMethod, OpenApi as Document};

/// Routes for anybody. No other route can be opened without a change to this list.
const OPEN: [(&str, &str); 6] = [
    ("POST", "/oauth/token"),
    ("GET", "/openapi.json"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
];

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Open,
    /// Callers with the right to this operation.
    Needs(Operation),
}

/// One route, for tests and documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteEntry {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path, with its parameters in braces.
    pub path: String,
    /// Who may use it.
    pub access: Access,
}

/// A handler with its description: method, path, and what the OpenAPI document says of it.
pub(crate) struct Described<F> {
    handler: F,
    description: Description,
}

struct Description {
    verb: Verb,
    path: String,
    operation: OperationObject,
    components: Option<Components>,
}

/// Joins a handler with what `utoipa::path` says above it.
macro_rules! described {
    ($($handler:ident)::+) => {{
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($handler)::+))]
        struct One;
        $crate::route::Described::new($($handler)::+, <One as utoipa::OpenApi>::openapi())
    }};
}
pub(crate) use described;

impl<F> Described<F> {
    /// `document` describes `handler` and nothing else.
    pub(crate) fn new(handler: F, mut document: Document) -> Self {
        let (path, item) = document.paths.paths.pop_first().expect("a described handler has a path");
        let verbs = [
            (Verb::Get, item.get),
            (Verb::Post, item.post),
            (Verb::Put, item.put),
            (Verb::Patch, item.patch),
            (Verb::Delete, item.delete),
        ];
        let mut described = verbs.into_iter().filter_map(|(verb, operation)| Some((verb, operation?)));
        let (Some((verb, operation)), None) = (described.next(), described.next()) else {
            panic!("{path}: expected one method, GET, POST, PUT, PATCH or DELETE")
        };
        let description = Description { verb, path, operation, components: document.components };
        Self { handler, description }
    }
}

#[derive(Clone, Copy)]
enum Verb {
    /// HEAD as well.
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }

    fn in_document(self) -> HttpMethod {
        match self {
            Self::Get => HttpMethod::Get,
            Self::Post => HttpMethod::Post,
            Self::Put => HttpMethod::Put,
            Self::Patch => HttpMethod::Patch,
            Self::Delete => HttpMethod::Delete,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Every route that was registered.
#[derive(Default)]
pub(crate) struct Routes {
    pub(crate) router: Router<AppState>,
    pub(crate) table: Vec<RouteEntry>,
    /// The operations and the schemas that they name.
    pub(crate) document: Document,
}

impl Routes {
    /// A route below `prefix`, for callers with the right `R`, which the handler's signature states.
    pub(crate) fn needs<R, I, F, Fut>(
        &mut self,
        (prefix, version): (&str, ApiVersion),
        Described { handler, mut description }: Described<F>,
    ) where
        R: Right,
        I: Input + 'static,
        F: Fn(Allowed<R>, AppState, I) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Response, Failure>> + Send,
    {
        description.path.insert_str(0, prefix);
        if let Some(id) = &mut description.operation.operation_id {
            id.push_str(version.operation_suffix());
        }
        for (status, response) in CommonRefusals::responses() {
            description.operation.responses.responses.entry(status).or_insert(response);
        }
        let endpoint = move |State(state): State<AppState>, request: Request| {
            let handler = handler.clone();
            async move {
                let (parts, body) = request.into_parts();
                let allowed = Allowed::<R>::admit(&state, &parts, version).await?;
                let input = I::read(&state, parts, body).await?;
                let caller = allowed.caller.clone();
                let answer = handler(allowed, state.clone(), input).await;
                if let Some(reason) = answer.as_ref().err().and_then(Failure::forbidden_reason) {
                    let (refusals, now) = (&state.inner().refusals, state.clock().now());
                    refusals.note(state.reports(), now, &caller, R::OPERATION, reason).await;
                }
                answer
            }
        };
        self.add(Access::Needs(R::OPERATION), endpoint, description);
    }

    /// A route for anybody, which must be one of [`OPEN`].
    pub(crate) fn open<H, T>(&mut self, Described { handler, description }: Described<H>)
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let route = (description.verb.name(), description.path.as_str());
        assert!(OPEN.contains(&route), "{} {} is open and not in the list", route.0, route.1);
        self.add(Access::Open, handler, description);
    }

    fn add<H, T>(&mut self, access: Access, handler: H, description: Description)
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let Description { verb, path, mut operation, components } = description;
        // An empty list says that the route is open. An absent one would say nothing.
        operation.security = Some(match access {
            Access::Open => Vec::new(),
            Access::Needs(needed) => security(needed),
        });
        for (status, response) in HeadRefusals::responses() {
            operation.responses.responses.entry(status).or_insert(response);
        }
        self.document.paths.add_path_operation(&path, vec![verb.in_document()], operation);
        let schemas = components.into_iter().flat_map(|components| components.schemas);
        self.document.components.get_or_insert_default().schemas.extend(schemas);

        let pattern: Arc<str> = path.as_str().into();
        let endpoint = move |State(state): State<AppState>, request: Request| {
            Span::current().record("route", &*pattern);
            let (pattern, handler) = (Arc::clone(&pattern), handler.clone());
            async move {
                let mut answer = handler.call(request, state).await;
                answer.extensions_mut().insert(Pattern(pattern));
                answer
            }
        };
        self.router = std::mem::take(&mut self.router).route(&path, on(verb.filter(), endpoint));
        self.table.push(RouteEntry { method: verb.name(), path, access });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// List people
    #[utoipa::path(get, path = "/muster/v1/people", responses((status = 200, description = "People.")))]
    async fn list_people() {}

    #[test]
    #[should_panic(expected = "GET /muster/v1/people is open and not in the list")]
    fn a_route_that_nobody_reviewed_does_not_start() {
        Routes::default().open(described!(list_people));
    }
}
