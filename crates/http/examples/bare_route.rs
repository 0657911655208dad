//! A route that answers with a constant, whatever is asked: what axum itself takes, for comparison with the service's routes.
//!
//! `cargo run --release -p muster-http --example bare_route -- 127.0.0.1:9000`

use axum::Json;
use axum::Router;
use serde_json::{Value, json};
use std::error::Error;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("expected an address and a port")?;
    let listener = TcpListener::bind(address).await?;
    axum::serve(listener, Router::new().fallback(answer)).await?;
    Ok(())
}

/// As long as the answer to a request for a task's result.
async fn answer() -> Json<Value> {
    Json(json!({
        "reportType": "ORPHAN_IDENTITIES",
        "taskDefName": "Orphan Identities Report",
        "id": "00000000000000000000000000000000",
        "created": "2026-01-02T03:04:05.678Z",
        "status": "SUCCESS",
        "duration": 21,
        "rows": 12,
        "availableFormats": ["CSV", "PDF"],
    }))
}
