//! The connection loop: accepts, bounds, times out and ends connections.
//!
//! Why not `axum::serve`: it has no time-out for a request's head or for an answer that is not taken, so that
//! anybody could hold a connection with one byte a minute, and no bound on connections.
//!
//! Invariants: every connection is owned by [`serve`]; when it returns none is left.

mod pace;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use pace::Paced;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Limits of the loop.
#[derive(Debug, Clone)]
pub struct Limits {
    /// A request's head must have arrived within this time, and an idle connection is closed after it.
    pub header_timeout: Duration,
    /// Each 128 KiB of an answer must have been taken within this time.
    pub write_timeout: Duration,
    /// Connections at a time; further ones wait in the system's queue.
    pub connections_max: usize,
    /// How long a stop waits for answers that are on their way.
    pub grace: Duration,
}

/// How connections are spoken on.
#[derive(Clone)]
pub enum Transport {
    /// HTTP as it is.
    Plain,
    /// HTTP within TLS.
    Tls(TlsAcceptor),
}

/// A request's head is no longer than this, in bytes; it is also what a connection buffers at most.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Wait after an accept that failed: the cause (no file descriptors) does not pass at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` on `listener` until `stop`, then lets answers on their way end within the grace.
pub async fn serve(
    listener: TcpListener,
    transport: Transport,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections_max.max(1)));
    let mut connections = JoinSet::new();
    loop {
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

async fn accepted(
    stream: TcpStream,
    transport: Transport,
    router: Router,
    limits: &Limits,
    stop: CancellationToken,
) {
    // Answers are small and wanted at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection could not be set up");
        return;
    }
    match transport {
        Transport::Plain => one(stream, router, limits, stop).await,
        // A handshake that does not come is a head that does not come.
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
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(
            TokioIo::new(Paced::new(stream, limits.write_timeout)),
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
        // Clients go away; that is their right.
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use axum::routing::get;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    struct Served {
        address: SocketAddr,
        stop: CancellationToken,
        /// A request to `/slow` has begun.
        begun: Arc<Notify>,
        /// It may end.
        go: Arc<Notify>,
        serving: JoinHandle<()>,
    }

    async fn served(limits: Limits) -> Served {
        let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait) = (begun.clone(), go.clone());
        let slow = async move || {
            tell.notify_one();
            wait.notified().await;
            "slow"
        };
        let router = Router::new()
            .route("/", get(async || "here"))
            .route("/slow", get(slow))
            .route("/large", get(async || vec![b'x'; LARGE]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let serving = tokio::spawn(serve(listener, Transport::Plain, router, limits, stop.clone()));
        Served { address, stop, begun, go, serving }
    }

    fn limits() -> Limits {
        Limits {
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            connections_max: 8,
            grace: Duration::from_secs(30),
        }
    }

    async fn send(address: SocketAddr, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// More than the system's buffers of a connection on this machine hold.
    const LARGE: usize = 64 << 20;

    const SLOW: &str = "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n";

    #[tokio::test]
    async fn a_stop_lets_answers_on_their_way_end_and_closes_idle_connections() {
        let served = served(limits()).await;
        let idle = TcpStream::connect(served.address).await.unwrap();
        let slow = send(served.address, SLOW).await;
        served.begun.notified().await;
        served.stop.cancel();
        assert_eq!(rest(idle).await, "");
        served.go.notify_one();
        assert!(rest(slow).await.ends_with("\r\n\r\nslow"));
        served.serving.await.unwrap();
        assert!(TcpStream::connect(served.address).await.is_err(), "nobody listens any more");
    }

    #[tokio::test]
    async fn an_answer_that_takes_longer_than_the_grace_is_broken_off() {
        let served = served(Limits { grace: Duration::from_millis(1), ..limits() }).await;
        let mut slow = send(served.address, SLOW).await;
        served.begun.notified().await;
        served.stop.cancel();
        served.serving.await.unwrap();
        let mut text = String::new();
        // Closed or reset: in either case no answer that looks whole.
        let _ = slow.read_to_string(&mut text).await;
        assert_eq!(text, "");
    }

    #[tokio::test]
    async fn a_head_that_does_not_arrive_is_not_waited_for() {
        let served = served(Limits { header_timeout: Duration::from_millis(50), ..limits() }).await;
        let stream = send(served.address, "GET / HTTP/1.1\r\nHost: ").await;
        let text = rest(stream).await;
        assert!(!text.contains("here"), "{text}");
        served.stop.cancel();
        served.serving.await.unwrap();
    }

    const LARGE_WANTED: &str = "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn an_answer_that_is_not_taken_is_broken_off() {
        let served = served(Limits { write_timeout: Duration::from_millis(200), ..limits() }).await;
        let mut stream = send(served.address, LARGE_WANTED).await;
        let mut begun = [0; 1];
        stream.read_exact(&mut begun).await.unwrap();
        // The client reads no more; the stop would wait for the answer for 30 seconds.
        served.stop.cancel();
        served.serving.await.unwrap();
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest).await;
        assert!(ended.is_err() || rest.len() < LARGE, "{ended:?}");
    }

    #[tokio::test]
    async fn an_answer_that_is_taken_bit_by_bit_may_take_longer_than_the_limit() {
        let limit = Duration::from_millis(400);
        let served = served(Limits { write_timeout: limit, ..limits() }).await;
        let mut stream = send(served.address, LARGE_WANTED).await;
        let begun = std::time::Instant::now();
        let mut piece = vec![0; 1 << 20];
        let mut taken = 0;
        loop {
            let read = stream.read(&mut piece).await.unwrap();
            taken += read;
            match read {
                0 => break,
                // Slow: this is what the test is about, not a wait for something else.
                _ if begun.elapsed() < 2 * limit => tokio::time::sleep(limit / 40).await,
                _ => {}
            }
        }
        assert!(taken > LARGE && begun.elapsed() > limit, "{taken}");
        served.stop.cancel();
        served.serving.await.unwrap();
    }

    #[tokio::test]
    async fn connections_beyond_the_bound_wait_for_a_place() {
        let served = served(Limits { connections_max: 1, ..limits() }).await;
        let slow = send(served.address, SLOW).await;
        served.begun.notified().await;
        let second = send(served.address, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        let second = tokio::spawn(rest(second));
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        served.go.notify_one();
        drop(slow);
        assert!(second.await.unwrap().ends_with("here"));
        served.stop.cancel();
        served.serving.await.unwrap();
    }
}
