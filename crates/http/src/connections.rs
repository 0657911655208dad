//! The connection loop: accepts, bounds, times out and ends connections.
//!
//! Why not `axum::serve`: it has no time-out for the head of a request or for an answer that the client does not read,
//! so anybody could hold a connection with one byte a minute. It also has no bound on connections.
//!
//! Invariants: every connection is owned by [`serve`]; when it returns none is left.

mod head;
pub mod open_files;
mod pace;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use axum::middleware::{Next, from_fn};
use head::{Begun, HeadTimer};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use muster_reports::metric;
use pace::Paced;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Limits of the loop.
#[derive(Debug, Clone)]
pub struct Limits {
    /// A request's head must arrive within this time from its first byte; for the first request of a connection, from
    /// the connection's start.
    pub header_timeout: Duration,
    /// How long an idle connection is kept. Answers say so.
    pub idle_timeout: Duration,
    /// The client must take each 32 KiB of an answer within this time.
    pub write_timeout: Duration,
    /// Connections at a time; further ones wait in the system's queue.
    pub connections_max: usize,
    /// How long a stop waits for answers that are being sent.
    pub grace: Duration,
}

/// The protocol of connections.
#[derive(Clone)]
pub enum Transport {
    /// HTTP without TLS.
    Plain,
    /// HTTP over TLS.
    Tls(TlsAcceptor),
}

/// Longest head of a request, in bytes. This is also the most that a connection buffers.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Pause after a failed accept, because its cause (no free file descriptor) rarely ends at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An idle connection is kept longer than answers say by this time, for requests that were sent in time.
const IDLE_LEEWAY: Duration = Duration::from_secs(2);

/// Size of the system's send buffer for one connection, in bytes, as requested: Linux doubles it for its own
/// bookkeeping. Without this limit, the buffer grows to 4 MiB, and a client may read from it for minutes before the
/// service sees any progress.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;

/// Connections that wait to be accepted.
const BACKLOG_MAX: u32 = 1024;

/// Listens on `address`. The connections buffer little of an answer, so that the service sees how fast a client takes
/// it.
///
/// # Errors When the address cannot be used.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG_MAX)
}

/// Serves `router` on `listener` until `stop`. After that, answers that are being sent may end within the grace.
pub async fn serve(
    listener: TcpListener,
    transport: Transport,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections_max.max(1)));
    let router = with_idle_time_said(router, limits.idle_timeout);
    let mut connections = JoinSet::new();
    loop {
        if places.available_permits() == 0 {
            metrics::counter!(metric::LIMITS.name, "limit" => "connections").increment(1);
        }
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place.expect("the semaphore is never closed"),
            () = stop.cancelled() => break,
        };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = stop.cancelled() => break,
        };
        let (router, stop, limits) = (router.clone(), stop.clone(), limits.clone());
        let transport = transport.clone();
        connections.spawn(async move {
            let _counted = Counted::new();
            accepted(stream, transport, router, &limits, stop).await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.grace, all_ended).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections are broken off: the grace is over");
        connections.shutdown().await;
    }
}

/// The router, with the idle time in each answer after which the connection stays open.
fn with_idle_time_said(router: Router, idle: Duration) -> Router {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    let said = HeaderValue::from_str(&format!("timeout={}", idle.as_secs()));
    let said = said.expect("a number is a header's value");
    router.layer(from_fn(move |request: Request, next: Next| {
        let said = said.clone();
        async move {
            let stays = request.version() == Version::HTTP_11 && !closes(request.headers());
            let mut answer = next.run(request).await;
            if stays {
                answer.headers_mut().insert(KEEP_ALIVE, said);
            }
            answer
        }
    }))
}

/// Whether the client wants the connection closed.
fn closes(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|option| option.trim().eq_ignore_ascii_case("close"))
}

/// An open connection, as the metric counts it.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!(metric::CONNECTIONS.name).increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!(metric::CONNECTIONS.name).decrement(1.0);
    }
}

async fn accepted(
    stream: TcpStream,
    transport: Transport,
    router: Router,
    limits: &Limits,
    stop: CancellationToken,
) {
    // Most answers are small, and clients wait for them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection could not be set up");
        return;
    }
    match transport {
        Transport::Plain => one(stream, router, limits, stop).await,
        // The time limit of a head applies to the handshake, too.
        Transport::Tls(acceptor) => {
            match tokio::time::timeout(limits.header_timeout, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => one(stream, router, limits, stop).await,
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            }
        }
    }
}

async fn one(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    limits: &Limits,
    stop: CancellationToken,
) {
    let begun = Begun::default();
    let idle = limits.idle_timeout.saturating_add(IDLE_LEEWAY);
    let connection = http1::Builder::new()
        .timer(HeadTimer::new(begun.clone(), idle, limits.header_timeout))
        // This only enables the limit; the timer decides how long it is.
        .header_read_timeout(idle)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(
            TokioIo::new(Paced::new(stream, begun, limits.write_timeout)),
            TowerToHyperService::new(router),
        );
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Clients may disconnect at any time.
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests;
