//! The console in front of a service that runs elsewhere, to look at pages without building the service:
//!
//! ```sh
//! cargo run --package muster-console --example ahead_of -- 127.0.0.1:8080 127.0.0.1:8090 CLIENT_ID CLIENT_SECRET
//! ```
//!
//! The second address is where the console answers. Client id and secret are for the sign-in link that works once.
//! This is for development: requests are passed on without TLS and without limits.
#![expect(clippy::disallowed_methods, reason = "nothing else here has a clock")]
#![expect(clippy::unwrap_used, reason = "a program for development may panic")]

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use hyper_util::rt::TokioIo;
use muster_console::{ConsoleSettings, NoIssuers, OneTimeSignIn, with_console};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

async fn pass_on(to: Arc<str>, request: Request) -> Response {
    let stream = TcpStream::connect(&*to).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap().map(Body::new)
}

fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

#[tokio::main]
async fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [to, listen, client_id, client_secret] = given.as_slice() else {
        eprintln!("expected: SERVICE CONSOLE CLIENT_ID CLIENT_SECRET");
        std::process::exit(2);
    };
    let to: Arc<str> = to.as_str().into();
    let api = Router::new().fallback(move |request: Request| pass_on(Arc::clone(&to), request));
    // Not secret: the console here is for its developer.
    let made = AtomicU64::new(0);
    let begin = now().to_string();
    let fresh = move || {
        hex::encode(&Sha256::digest(format!("{begin} {}", made.fetch_add(1, Ordering::Relaxed)))[..16])
    };
    let one_time = OneTimeSignIn {
        code: "once".into(),
        client_id: client_id.clone(),
        client_secret: client_secret.clone(),
    };
    let settings = ConsoleSettings {
        now: Arc::new(now),
        fresh: Arc::new(fresh),
        idle: TimeDelta::hours(1),
        longest: TimeDelta::hours(8),
        page_timeout: Duration::from_secs(60),
        stopping: CancellationToken::new(),
        issuers: Arc::new(NoIssuers),
        one_time: Some(one_time),
    };
    let listener = TcpListener::bind(listen).await.unwrap();
    println!("http://{listen}/ui/sign-in/once/once");
    axum::serve(listener, with_console(api, settings)).await.unwrap();
}
