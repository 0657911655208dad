//! Every route, a line each.

use crate::api_version::{
    ApiVersion, HISTORY, REPORTS, SAVED_SEARCHES, SCHEDULED_SEARCHES, SEARCH, SOD_POLICIES,
    SOD_VIOLATION_REPORT, SOD_VIOLATIONS, TASK_STATUS,
};
use crate::failure::{Failure, json_bytes};
use crate::reports::{
    cancel, compare, cover, custom, definitions, evidence, file, kept_definitions, result, review_sheets, run,
};
use crate::route::{RouteEntry, Routes, described};
use crate::state::AppState;
use crate::task_status::{list, status, update};
use crate::{
    administration, caller, health, history, middleware, notifications, oauth, openapi, reviews,
    saved_searches, scheduled_searches, schedules, search, search_fields, snapshots, sod_policies,
    sod_prediction, sod_schedules, sod_violations,
};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use std::convert::Infallible;
use std::sync::LazyLock;
use utoipa::openapi::OpenApi as Document;

/// Routes of our own have their whole path in their description.
const OWN: (&str, ApiVersion) = ("", ApiVersion::Muster);

fn routes() -> Routes {
    let mut routes = Routes::default();
    for published in REPORTS {
        routes.needs(published, described!(run::start_report));
        routes.needs(published, described!(result::get_report_result));
        routes.needs(published, described!(file::get_report));
        routes.needs(published, described!(cancel::cancel_report));
        routes.needs(published, described!(cover::get_cover));
    }
    for published in SEARCH {
        routes.needs(published, described!(search::search_documents));
        routes.needs(published, described!(search::count_documents));
        routes.needs(published, described!(search::aggregate_documents));
        routes.needs(published, described!(search::get_document));
    }
    for published in SAVED_SEARCHES {
        routes.needs(published, described!(saved_searches::create_saved_search));
        routes.needs(published, described!(saved_searches::list_saved_searches));
        routes.needs(published, described!(saved_searches::get_saved_search));
        routes.needs(published, described!(saved_searches::put_saved_search));
        routes.needs(published, described!(saved_searches::delete_saved_search));
        routes.needs(published, described!(saved_searches::execute_saved_search));
    }
    for published in SCHEDULED_SEARCHES {
        routes.needs(published, described!(scheduled_searches::create_scheduled_search));
        routes.needs(published, described!(scheduled_searches::list_scheduled_searches));
        routes.needs(published, described!(scheduled_searches::get_scheduled_search));
        routes.needs(published, described!(scheduled_searches::update_scheduled_search));
        routes.needs(published, described!(scheduled_searches::patch_scheduled_search));
        routes.needs(published, described!(scheduled_searches::delete_scheduled_search));
        routes.needs(published, described!(scheduled_searches::unsubscribe_scheduled_search));
    }
    for published in SOD_POLICIES {
        routes.needs(published, described!(sod_policies::create_policy));
        routes.needs(published, described!(sod_policies::list_policies));
        routes.needs(published, described!(sod_policies::get_policy));
        routes.needs(published, described!(sod_policies::put_policy));
        routes.needs(published, described!(sod_policies::patch_policy));
        routes.needs(published, described!(sod_policies::delete_policy));
        routes.needs(published, described!(sod_schedules::get_policy_schedule));
        routes.needs(published, described!(sod_schedules::put_policy_schedule));
        routes.needs(published, described!(sod_schedules::delete_policy_schedule));
        routes.needs(published, described!(sod_violations::evaluate_policy));
        routes.needs(published, described!(sod_violations::run_report));
        routes.needs(published, described!(sod_violations::get_last_report));
        routes.needs(published, described!(sod_violations::get_report_status));
    }
    for published in SOD_VIOLATION_REPORT {
        routes.needs(published, described!(sod_violations::run_report_of_several));
        routes.needs(published, described!(sod_violations::get_last_report_of_several));
        routes.needs(published, described!(sod_violations::download_report));
        routes.needs(published, described!(sod_violations::download_named_report));
    }
    for published in SOD_VIOLATIONS {
        routes.needs(published, described!(sod_prediction::predict_violations));
        routes.needs(published, described!(sod_prediction::check_violations));
    }
    for published in TASK_STATUS {
        routes.needs(published, described!(list::get_task_status_list));
        routes.needs(published, described!(list::get_pending_tasks));
        routes.needs(published, described!(status::get_task_status));
        routes.needs(published, described!(update::update_task_status));
    }
    for published in HISTORY {
        routes.needs(published, described!(history::list_historical_identities));
        routes.needs(published, described!(history::get_historical_identity));
        routes.needs(published, described!(history::list_access_items));
        routes.needs(published, described!(history::list_snapshots));
        routes.needs(published, described!(history::get_snapshot));
        routes.needs(published, described!(history::list_snapshot_access_items));
        routes.needs(published, described!(history::list_events));
        routes.needs(published, described!(history::get_snapshot_summary));
        routes.needs(published, described!(history::get_start_date));
        routes.needs(published, described!(history::compare_snapshots));
        routes.needs(published, described!(history::compare_snapshots_of_type));
    }
    routes.needs(OWN, described!(caller::get_caller));
    routes.needs(OWN, described!(sod_policies::list_exceptions));
    routes.needs(OWN, described!(sod_policies::put_exceptions));
    routes.needs(OWN, described!(list::count_tasks));
    routes.needs(OWN, described!(definitions::list_reports));
    routes.needs(OWN, described!(custom::start_custom_report));
    routes.needs(OWN, described!(kept_definitions::list_definitions));
    routes.needs(OWN, described!(kept_definitions::add_definition));
    routes.needs(OWN, described!(kept_definitions::get_definition));
    routes.needs(OWN, described!(kept_definitions::remove_definition));
    routes.needs(OWN, described!(result::get_task_result));
    routes.needs(OWN, described!(result::list_results));
    routes.needs(OWN, described!(file::get_any_file));
    routes.needs(OWN, described!(evidence::get_evidence));
    routes.needs(OWN, described!(evidence::get_evidence_key));
    routes.needs(OWN, described!(compare::compare_reports));
    routes.needs(OWN, described!(schedules::list_schedules));
    routes.needs(OWN, described!(schedules::create_schedule));
    routes.needs(OWN, described!(schedules::get_schedule));
    routes.needs(OWN, described!(schedules::update_schedule));
    routes.needs(OWN, described!(schedules::run_schedule));
    routes.needs(OWN, described!(schedules::delete_schedule));
    routes.needs(OWN, described!(reviews::create_review));
    routes.needs(OWN, described!(reviews::list_reviews));
    routes.needs(OWN, described!(reviews::get_review));
    routes.needs(OWN, described!(reviews::list_review_items));
    routes.needs(OWN, described!(reviews::decide_review_items));
    routes.needs(OWN, described!(reviews::hand_over_review_items));
    routes.needs(OWN, described!(reviews::close_review));
    routes.needs(OWN, described!(review_sheets::get_review_sheets));
    routes.needs(OWN, described!(review_sheets::read_review_sheet));
    routes.needs(OWN, described!(snapshots::list_sources));
    routes.needs(OWN, described!(administration::list_refused_records));
    routes.needs(OWN, described!(search_fields::list_search_fields));
    routes.needs(OWN, described!(snapshots::list_snapshots));
    routes.needs(OWN, described!(administration::explain_link));
    routes.needs(OWN, described!(administration::compare_snapshots));
    routes.needs(OWN, described!(administration::pin_snapshot));
    routes.needs(OWN, described!(administration::unpin_snapshot));
    routes.needs(OWN, described!(administration::list_clients));
    routes.needs(OWN, described!(administration::get_audit_trail));
    routes.needs(OWN, described!(administration::get_installation));
    routes.needs(OWN, described!(notifications::list_notifications));
    routes.needs(OWN, described!(notifications::retry_notification));
    routes.open(described!(oauth::create_token));
    routes.open(described!(get_document));
    routes.open(described!(health::live));
    routes.open(described!(health::ready));
    routes.open(described!(health::livez));
    routes.open(described!(health::readyz));
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

/// Every route.
pub fn route_table() -> Vec<RouteEntry> {
    routes().table
}

/// The OpenAPI document of the service.
pub fn document() -> Document {
    openapi::document(routes().document)
}

/// The document as JSON text, with a line end.
static DOCUMENT_JSON: LazyLock<String> = LazyLock::new(|| {
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
async fn get_document() -> Response {
    json_bytes(StatusCode::OK, DOCUMENT_JSON.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Access;
    use muster_reports::Operation;

    #[test]
    fn every_operation_has_a_route() {
        let table = route_table();
        for operation in Operation::ALL {
            assert!(table.iter().any(|route| route.access == Access::Needs(operation)), "{operation:?}");
        }
    }
}
