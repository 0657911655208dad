//! Which requests the console answers, and what every answer of it has.

use crate::answer;
use crate::problem::Problem;
use crate::routes::routes;
use crate::settings::ConsoleSettings;
use crate::state::Console;
use crate::visitor::{MaybeSigned, SESSION_COOKIE, cookie};
use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use tower::ServiceExt;

/// Whether the console answers this path.
pub fn is_page(path: &str) -> bool {
    path == "/" || path == "/ui" || path.starts_with("/ui/")
}

/// The API with the console: pages at `/` and below `/ui/`, and the API, unchanged, everywhere else.
pub fn with_console(api: Router, settings: ConsoleSettings) -> Router {
    let console = Console::new(api.clone(), settings);
    let pages = routes().with_state(console.clone());
    Router::new().fallback_service(tower::service_fn(move |request: Request| {
        let (api, console, pages) = (api.clone(), console.clone(), pages.clone());
        async move {
            // Only pages are at `/`; for another method the API says that there is no such route.
            let reads = matches!(*request.method(), Method::GET | Method::HEAD);
            let path = request.uri().path();
            if is_page(path) && (path != "/" || reads) {
                Ok::<_, Infallible>(Box::pin(page(console, pages, request)).await)
            } else {
                api.oneshot(request).await
            }
        }
    }))
}

async fn page(console: Console, pages: Router, mut request: Request) -> Response {
    let held = cookie(request.headers(), SESSION_COOKIE).map(str::to_owned);
    // Live updates are not a use of the session: what a script fetches by itself is a GET.
    let is_fetched = *request.method() == Method::GET && request.headers().contains_key("hx-request");
    let is_live = is_fetched || request.uri().path() == crate::live::PATH;
    let session = held.as_deref().and_then(|held| match is_live {
        true => console.sessions().seen(held, console.now()),
        false => console.sessions().used(held, console.now()),
    });
    request.extensions_mut().insert(MaybeSigned(session.clone()));
    let asked = answer::Asked::of(&request);
    let work = AssertUnwindSafe(pages.oneshot(request)).catch_unwind();
    let mut response = match tokio::time::timeout(console.settings().page_timeout, work).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(_)) => Problem::Fault.into_response(),
        Err(_) => Problem::TooLong.into_response(),
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        if let (Problem::SessionEnded, Some(held)) = (&problem, &held) {
            console.sessions().close(held);
        }
        response = answer::of_problem(&problem, session.as_deref(), &asked);
    }
    answer::finished(response)
}
