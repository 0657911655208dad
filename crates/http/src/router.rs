//! Every route, a line each.
//!
//! A route that is not open takes a handler whose first parameter is [`Allowed`], so a route without a
//! right cannot be registered; one that is open stands in a list, or the service does not start.

use crate::access::{Allowed, Cancel, Download, ReadResult, Right, Start};
use crate::api_version::{ApiVersion, PUBLISHED};
use crate::failure::Failure;
use crate::input::Input;
use crate::reports::{cancel, compare, cover, custom, definitions, evidence, file, result, run};
use crate::state::AppState;
use crate::{health, middleware, oauth, openapi};
use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use muster_reports::Operation;
use std::convert::Infallible;
use std::sync::Arc;

/// Routes for anybody. No other can be opened: this list is the review of them.
const OPEN: [(&str, &str); 4] =
    [("POST", "/oauth/token"), ("GET", "/openapi.json"), ("GET", "/health/live"), ("GET", "/health/ready")];

fn routes() -> Routes {
    let mut routes = Routes::default();
    for (prefix, version) in PUBLISHED {
        let p = |path: &str| format!("{prefix}{path}");
        routes.needs::<Start, _, _, _>(Post, version, p("/run"), run::start_report);
        routes.needs::<ReadResult, _, _, _>(Get, version, p("/{id}/result"), result::get_report_result);
        routes.needs::<Download, _, _, _>(Get, version, p("/{id}"), file::get_report);
        routes.needs::<Cancel, _, _, _>(Post, version, p("/{id}/cancel"), cancel::cancel_report);
        routes.needs::<ReadResult, _, _, _>(Get, version, p("/{id}/cover"), cover::get_cover);
    }
    let (muster, ours) = (ApiVersion::Muster, |path: &str| format!("/muster/v1/reports{path}"));
    routes.needs::<ReadResult, _, _, _>(Get, muster, ours(""), definitions::list_reports);
    routes.needs::<Start, _, _, _>(Post, muster, ours("/{id}/run"), custom::start_custom_report);
    routes.needs::<ReadResult, _, _, _>(Get, muster, ours("/{id}/result"), result::get_task_result);
    routes.needs::<Download, _, _, _>(Get, muster, ours("/{id}/files/{format}"), file::get_any_file);
    routes.needs::<Download, _, _, _>(Get, muster, ours("/{id}/evidence"), evidence::get_evidence);
    let other = ours("/{id}/compare/{other}");
    routes.needs::<Download, _, _, _>(Get, muster, other, compare::compare_reports);
    routes.needs::<ReadResult, _, _, _>(Get, muster, "/muster/v1/results".into(), result::list_results);
    let key = "/muster/v1/evidence-key".to_owned();
    routes.needs::<ReadResult, _, _, _>(Get, muster, key, evidence::get_evidence_key);
    routes.open(Post, "/oauth/token", oauth::create_token);
    routes.open(Get, "/openapi.json", openapi::get_document);
    routes.open(Get, "/health/live", health::live);
    routes.open(Get, "/health/ready", health::ready);
    routes
}

/// The whole service as a router; it answers every request, unknown routes included.
pub fn router(state: AppState) -> Router {
    let routes = routes()
        .router
        .fallback(async || Failure::not_found("there is no such route"))
        .method_not_allowed_fallback(async || {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "the route exists, but not for this method")
        })
        .with_state(state.clone());
    Router::new().fallback_service(tower::service_fn(move |request: Request| {
        let (state, routes) = (state.clone(), routes.clone());
        async move { Ok::<_, Infallible>(middleware::answer(state, routes, request).await) }
    }))
}

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
    /// The path, with `{id}` for its parameter.
    pub path: String,
    /// Who may use it.
    pub access: Access,
}

/// Every route.
pub fn route_table() -> Vec<RouteEntry> {
    routes().table
}

use Verb::{Get, Post};

#[derive(Clone, Copy)]
enum Verb {
    /// HEAD as well.
    Get,
    Post,
}

impl Verb {
    fn filter(self) -> MethodFilter {
        match self {
            Get => MethodFilter::GET,
            Post => MethodFilter::POST,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Get => "GET",
            Post => "POST",
        }
    }
}

#[derive(Default)]
struct Routes {
    router: Router<AppState>,
    table: Vec<RouteEntry>,
}

impl Routes {
    /// A route for callers with the right `R`, which the handler's signature states.
    fn needs<R, I, F, Fut>(&mut self, verb: Verb, version: ApiVersion, path: String, handler: F)
    where
        R: Right,
        I: Input + 'static,
        F: Fn(Allowed<R>, AppState, I) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Response, Failure>> + Send,
    {
        let route: Arc<str> = path.as_str().into();
        let endpoint = move |State(state): State<AppState>, request: Request| {
            tracing::Span::current().record("route", &*route);
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
        self.add(verb, path, Access::Needs(R::OPERATION), endpoint);
    }

    /// A route for anybody, which must be one of [`OPEN`].
    fn open<H, T>(&mut self, verb: Verb, path: &str, handler: H)
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        assert!(OPEN.contains(&(verb.name(), path)), "{} {path} is open and not in the list", verb.name());
        self.add(verb, path.to_owned(), Access::Open, handler);
    }

    fn add<H, T>(&mut self, verb: Verb, path: String, access: Access, handler: H)
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.router = std::mem::take(&mut self.router).route(&path, on(verb.filter(), handler));
        self.table.push(RouteEntry { method: verb.name(), path, access });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "GET /muster/v1/people is open and not in the list")]
    fn a_route_that_nobody_reviewed_does_not_start() {
        Routes::default().open(Get, "/muster/v1/people", health::live);
    }

    #[test]
    fn every_operation_has_a_route() {
        let table = route_table();
        for operation in Operation::ALL {
            assert!(table.iter().any(|route| route.access == Access::Needs(operation)), "{operation:?}");
        }
    }
}
