//! The loop over real sockets of this machine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use axum::routing::get;
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
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let serving = tokio::spawn(serve(listener, Transport::Plain, router, limits, stop.clone()));
    Served { address, stop, begun, go, serving }
}

fn limits() -> Limits {
    Limits {
        header_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(75),
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
async fn the_system_keeps_little_of_an_answer_that_is_not_read() {
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    server.writable().await.unwrap();
    let mut kept = 0;
    while let Ok(taken) = server.try_write(&[0; 64 * 1024]) {
        kept += taken;
    }
    // Both ends' buffers together, on one machine; the system's own choice is 4 MB and more.
    assert!(kept <= 1 << 20, "{kept}");
    drop(client);
}

#[tokio::test]
async fn the_idle_time_is_said_where_the_connection_stays() {
    let served = served(limits()).await;
    let mut stays = send(served.address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut answer = vec![0; 4096];
    let length = stays.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.contains("\r\nkeep-alive: timeout=75\r\n"), "{answer}");
    let closed =
        rest(send(served.address, "GET / HTTP/1.1\r\nHost: x\r\nConnection: TE, Close\r\n\r\n").await).await;
    assert!(closed.starts_with("HTTP/1.1 200") && !closed.contains("keep-alive"), "{closed}");
    served.stop.cancel();
    served.serving.await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_idle_time_whatever_a_head_may_take() {
    let hour = Duration::from_secs(3_600);
    let limits = Limits { header_timeout: hour, idle_timeout: Duration::ZERO, ..limits() };
    let served = served(limits).await;
    let stream = send(served.address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let answer = tokio::time::timeout(hour / 60, rest(stream)).await.expect("it is closed");
    assert!(answer.ends_with("here"), "{answer}");
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
