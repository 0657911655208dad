//! Every page, a line each.

use crate::problem::Problem;
use crate::state::Console;
use crate::{
    administration, assets, compare, definitions, files, identities, issuer_sign_in, link, live, new_review,
    new_run, page, reports, review_decisions, reviews, run, runs, saved_searches, schedules, sign_in,
    snapshots, sources, verify,
};
use axum::Router;
use axum::routing::{get, post};

/// The pages.
pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/", get(async || page::see_other("/ui/runs")))
        .route("/ui", get(async || page::see_other("/ui/runs")))
        .route("/ui/", get(async || page::see_other("/ui/runs")))
        .route("/ui/assets/{digest}/{name}", get(assets::asset))
        .route("/ui/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/ui/sign-in/once/{code}", get(sign_in::once))
        .route("/ui/sign-in/at/{issuer}", get(issuer_sign_in::begin))
        .route("/ui/sign-in/at/{issuer}/answer", get(issuer_sign_in::answer))
        .route("/ui/sign-out", post(sign_in::sign_out))
        .route("/ui/sign-out/at/{issuer}", get(issuer_sign_in::sign_out))
        .route("/ui/live", get(live::stream))
        .route("/ui/runs", get(runs::list))
        .route("/ui/runs/{id}", get(run::one))
        .route("/ui/runs/{id}/cancel", get(run::ask_cancel).post(run::cancel))
        .route("/ui/runs/{id}/files/{format}", get(files::file))
        .route("/ui/runs/{id}/evidence", get(files::evidence))
        .route("/ui/runs/{id}/cover", get(files::cover))
        .route("/ui/compare", get(compare::compare))
        .route("/ui/compare/{old}/{new}/{form}", get(compare::made))
        .route("/ui/new", get(new_run::kinds))
        .route("/ui/new/{id}", get(new_run::form).post(new_run::start))
        .route("/ui/reports", get(reports::list))
        .route("/ui/reports/{id}", get(reports::one))
        .route("/ui/definitions", get(definitions::form).post(definitions::keep))
        .route("/ui/definitions/{id}", get(definitions::one))
        .route("/ui/definitions/{id}/remove", get(definitions::ask_remove).post(definitions::remove))
        .route("/ui/verify", get(verify::page))
        .route("/ui/searches", get(saved_searches::list))
        .route("/ui/searches/new", get(saved_searches::form).post(saved_searches::keep))
        .route("/ui/searches/{id}", get(saved_searches::one))
        .route("/ui/searches/{id}/run", post(saved_searches::execute))
        .route("/ui/searches/{id}/remove", get(saved_searches::ask_remove).post(saved_searches::remove))
        .route("/ui/schedules", get(schedules::list))
        .route("/ui/schedules/new", get(schedules::kinds))
        .route("/ui/schedules/new/{report}", get(schedules::form).post(schedules::keep))
        .route("/ui/schedules/{id}", get(schedules::one))
        .route("/ui/schedules/{id}/run", post(schedules::run))
        .route("/ui/schedules/{id}/pause", post(schedules::pause))
        .route("/ui/schedules/{id}/remove", get(schedules::ask_remove).post(schedules::remove))
        .route("/ui/reviews", get(reviews::list))
        .route("/ui/reviews/new", get(new_review::form).post(new_review::create))
        .route("/ui/reviews/{id}", get(reviews::one))
        .route("/ui/reviews/{id}/decide", get(review_decisions::form).post(review_decisions::decide))
        .route("/ui/reviews/{id}/sheets/{format}", get(reviews::sheets))
        .route("/ui/reviews/{id}/close", get(reviews::ask_close).post(reviews::close))
        .route("/ui/identities", get(identities::list))
        .route("/ui/identities/{id}", get(identities::one))
        .route("/ui/sources", get(sources::list))
        .route("/ui/sources/{id}", get(sources::one))
        .route("/ui/links", get(link::page))
        .route("/ui/snapshots", get(snapshots::list))
        .route("/ui/snapshots/compare", get(snapshots::compare))
        .route("/ui/snapshots/{id}", get(snapshots::one))
        .route("/ui/snapshots/{id}/pin", post(snapshots::pin))
        .route("/ui/snapshots/{id}/unpin", get(snapshots::ask_unpin).post(snapshots::unpin))
        .route("/ui/administration", get(administration::page))
        .route("/ui/administration/clients", get(administration::clients))
        .route("/ui/administration/audit", get(administration::trail))
        .route("/ui/administration/notifications/{id}/again", post(administration::again))
        .route("/ui/evidence-key", get(files::evidence_key))
        .fallback(async || Problem::NoSuchPage)
        .method_not_allowed_fallback(async || Problem::NoSuchMethod)
}
