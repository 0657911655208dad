//! Wake-ups between processes, through LISTEN and NOTIFY.
//!
//! They only save time: the workers also look for work at intervals, and the next heartbeat also finds a cancel. So a
//! notice may be lost. It is sent after its transaction and not inside it, because PostgreSQL commits transactions that
//! notify one at a time.
//!
//! After every connection, including the first, the listener looks for what it may have missed.

use super::pauses::Pauses;
use crate::failure::too_slow;
use crate::signals::Signals;
use muster_reports::ids::TaskId;
use muster_reports::task::TaskState;
use sqlx::postgres::{PgListener, PgPool};
use sqlx::{PgConnection, Row as _};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};

/// Cancels that wait to be announced. Beyond this, the workers learn of a cancel by their heartbeats.
const CANCELS_MAX: usize = 1_024;
/// How long a connection may be silent before it is tested.
const SILENCE_MOST: Duration = Duration::from_secs(30);
/// How long the test may take, or one announcement.
const TRY_MOST: Duration = Duration::from_secs(5);
/// While connections fail, the pauses between them grow for this long. Then they begin small again.
const PAUSE_MOST: Duration = Duration::from_secs(1);

const WORK: &str = "work";
const CANCELLED: &str = "cancelled";

/// What the processes of one store call each other by.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// The channel: one for each schema, since others may use the same database.
    channel: String,
    /// This process.
    node: String,
}

impl Names {
    pub(super) async fn of(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let row = sqlx::query(
            "SELECT 'muster_' || left(md5(current_schema()), 16) AS channel, gen_random_uuid()::text AS node",
        )
        .fetch_one(connection)
        .await?;
        Ok(Self { channel: row.try_get("channel")?, node: row.try_get("node")? })
    }
}

/// What is to be told to the other processes.
#[derive(Debug, Clone)]
pub(super) struct Announcements {
    work: Arc<Notify>,
    cancels: mpsc::Sender<TaskId>,
}

impl Announcements {
    /// A task may be due. Several at once become one notice.
    pub(super) fn work(&self) {
        self.work.notify_one();
    }

    /// A task has been cancelled.
    pub(super) fn cancelled(&self, id: &TaskId) {
        // If the queue is full, the heartbeat finds the cancel.
        let _ = self.cancels.try_send(id.clone());
    }
}

/// Announcements, and the task that sends them.
pub(super) fn announce(pool: PgPool, names: &Names) -> (Announcements, impl Future<Output = ()> + use<>) {
    let work = Arc::new(Notify::new());
    let (cancels, mut waiting) = mpsc::channel::<TaskId>(CANCELS_MAX);
    let announcements = Announcements { work: work.clone(), cancels };
    let names = names.clone();
    let sending = async move {
        loop {
            let notice = tokio::select! {
                biased;
                id = waiting.recv() => match id {
                    Some(id) => format!("{CANCELLED} {id}"),
                    None => return,
                },
                () = work.notified() => format!("{WORK} {}", names.node),
            };
            let sent = sqlx::query("SELECT pg_notify($1, $2)").bind(&names.channel).bind(notice);
            // What cannot be announced is found by polling.
            let _ = timeout(TRY_MOST, sent.execute(&pool)).await;
        }
    };
    (announcements, sending)
}

/// Receives the announcements of other processes, for ever.
pub(super) async fn listen(pool: PgPool, names: Names, signals: Arc<Signals>) {
    loop {
        // The pauses grow within one outage.
        let mut pauses = Pauses::until(Instant::now() + PAUSE_MOST);
        while hear(&pool, &names, &signals).await.is_err() && pauses.pause().await {}
    }
}

/// Listens on one connection until it breaks.
async fn hear(pool: &PgPool, names: &Names, signals: &Signals) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.listen(&names.channel).await?;
    catch_up(&mut listener, signals).await?;
    loop {
        match timeout(SILENCE_MOST, listener.try_recv()).await {
            Ok(Ok(Some(notice))) => match notice.payload().split_once(' ') {
                Some((WORK, node)) if node != names.node => signals.work(),
                Some((CANCELLED, id)) => signals.cancelled(&TaskId::new(id)),
                Some(_) | None => {}
            },
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let tried = timeout(TRY_MOST, sqlx::query("SELECT 1").execute(&mut listener)).await;
                tried.unwrap_or_else(|_| Err(too_slow()))?;
            }
        }
    }
}

/// Wakes a worker, and those whose task was cancelled while nobody listened.
async fn catch_up(listener: &mut PgListener, signals: &Signals) -> Result<(), sqlx::Error> {
    signals.work();
    for id in signals.waited_for() {
        let state: Option<String> = sqlx::query_scalar("SELECT state FROM tasks WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&mut *listener)
            .await?;
        if state.as_deref().and_then(TaskState::from_name).is_some_and(TaskState::ends_a_run) {
            signals.cancelled(&id);
        }
    }
    Ok(())
}
