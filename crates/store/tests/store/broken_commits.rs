//! A connection that breaks in the very moment of a commit: the store finds out whether it happened.
//!
//! A relay between store and server cuts connections where it is told to.

use crate::postgres::{open, settings};
use muster_reports::error::Category;
use muster_reports::ids::WorkerId;
use muster_reports::ports::{Cancelled, Started, TaskStore};
use muster_reports::task::{AttemptEnd, TaskState};
use muster_store::{Settings, Store};
use muster_testkit::postgres::PostgresServer;
use muster_testkit::{acts, build};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LEASE: Duration = Duration::from_secs(30);

/// What happens to the next commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Cut {
    Nothing,
    /// It does not reach the server.
    Request,
    /// The server commits, its answer does not come through.
    Answer,
    /// As `Answer`, and nobody reaches the server from then on.
    AnswerThenAll,
    /// Nobody reaches the server.
    All,
}

#[derive(Debug)]
struct Relay {
    address: SocketAddr,
    cut: AtomicU8,
    cuts_made: AtomicU32,
}

impl Relay {
    async fn to(server_port: u16) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let relay =
            Arc::new(Self { address, cut: AtomicU8::new(Cut::Nothing as u8), cuts_made: AtomicU32::new(0) });
        let accepting = relay.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if accepting.cut.load(Ordering::SeqCst) != Cut::All as u8 {
                    tokio::spawn(relay_connection(accepting.clone(), client, server_port));
                }
            }
        });
        relay
    }

    fn set(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }

    /// Takes the order for one commit.
    fn take(&self) -> Cut {
        for cut in [Cut::Request, Cut::Answer, Cut::AnswerThenAll] {
            let after = if cut == Cut::AnswerThenAll { Cut::All } else { Cut::Nothing };
            let taken = self.cut.compare_exchange(cut as u8, after as u8, Ordering::SeqCst, Ordering::SeqCst);
            if taken.is_ok() {
                self.cuts_made.fetch_add(1, Ordering::SeqCst);
                return cut;
            }
        }
        Cut::Nothing
    }
}

async fn relay_connection(relay: Arc<Relay>, mut client: TcpStream, server_port: u16) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", server_port)).await else { return };
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(count @ 1..) = read else { return };
                let is_commit = asked[..count].windows(7).any(|bytes| bytes == b"COMMIT\0");
                match if is_commit { relay.take() } else { Cut::Nothing } {
                    Cut::Request => return,
                    Cut::Answer | Cut::AnswerThenAll => {
                        server.write_all(&asked[..count]).await.unwrap();
                        // The answer shows that it was committed; the client never sees it.
                        assert!(server.read(&mut answered).await.unwrap() > 0);
                        return;
                    }
                    Cut::Nothing | Cut::All => {}
                }
                if server.write_all(&asked[..count]).await.is_err() { return }
            }
            read = server.read(&mut answered) => {
                let Ok(count @ 1..) = read else { return };
                if client.write_all(&answered[..count]).await.is_err() { return }
            }
        }
    }
}

/// `wait` is how long a store asks for a database that is away.
async fn relayed(server: &PostgresServer, wait: Duration) -> (Arc<Relay>, Store, Store) {
    let url = server.fresh_url();
    let port: u16 = url.split(['@', '/']).nth(3).unwrap().split(':').nth(1).unwrap().parse().unwrap();
    let relay = Relay::to(port).await;
    let through = url.replace(&format!(":{port}/"), &format!(":{}/", relay.address.port()));
    let settings = Settings { busy_wait: wait, statement_wait: 2 * wait, ..self::settings() };
    let broken = open(&format!("{through}&sslmode=disable"), settings).await.unwrap();
    let sound = open(&url, Settings { busy_wait: LEASE, ..self::settings() }).await.unwrap();
    (relay, broken, sound)
}

/// Whether the commit got through or not, each write happens once and is answered as if nothing had been.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_happens_once_however_its_commit_breaks() {
    let Some(server) = PostgresServer::shared() else { return };
    let (relay, store, sound) = relayed(&server, LEASE).await;
    let now = build::start_of_time();
    let tenant = build::tenant();
    let worker = WorkerId::new("worker");
    for (number, cut) in (1..).zip([Cut::Request, Cut::Answer, Cut::Request, Cut::Answer]) {
        relay.set(cut);
        let started = store.start(build::new_task(number, now)).await.unwrap();
        assert!(
            matches!(&started, Started::New(task) if task.id == build::task_id(number)),
            "{cut:?}: {started:?}"
        );
        relay.set(cut);
        let claim = store.claim(&worker, now, LEASE).await.unwrap().expect("the task is due");
        assert_eq!((claim.task.attempts, claim.lease.epoch), (1, 1), "{cut:?}: claimed once");
        assert!(sound.claim(&worker, now, LEASE).await.unwrap().is_none(), "there is no other to claim");
        relay.set(cut);
        if number % 2 == 0 {
            let result = build::task_result(&claim.task.id, 1, 4);
            let done = AttemptEnd::Done { result, messages: Vec::new() };
            assert!(store.end_attempt(&claim.lease, done, now).await.unwrap(), "{cut:?}: the lease held");
        } else {
            let cancelled = acts::cancel(&store, &tenant, &claim.task.id, now).await.unwrap();
            assert_eq!(cancelled, Cancelled::Now, "{cut:?}: not before, and not too late");
        }
        let ended = sound.task(&tenant, &claim.task.id).await.unwrap().unwrap();
        let expected = if number % 2 == 0 { TaskState::Succeeded } else { TaskState::Terminated };
        assert_eq!((ended.state, ended.epoch), (expected, 1));
    }
    assert_eq!(relay.cuts_made.load(Ordering::SeqCst), 12, "every one of them broke");
}

/// Where the database stays away, the answer is that it is not known; the client asks again and gets its task.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_cannot_be_found_out_is_said_to_be_unknown() {
    let Some(server) = PostgresServer::shared() else { return };
    let (relay, store, sound) = relayed(&server, Duration::from_secs(1)).await;
    let now = build::start_of_time();
    relay.set(Cut::AnswerThenAll);
    let error = store.start(build::new_task(1, now)).await.unwrap_err();
    assert_eq!(error.category, Category::Unavailable);
    assert!(error.message.ends_with("whether the change is saved is not known"), "{}", error.message);
    relay.set(Cut::Nothing);
    let again = sound.start(build::same_as(1, build::new_task(2, now))).await.unwrap();
    assert!(matches!(&again, Started::Live(task) if task.id == build::task_id(1)), "{again:?}");
    assert!(sound.task(&build::tenant(), &build::task_id(2)).await.unwrap().is_none());
}
