//! Room on the disk for files that are made for one answer: evidence packages and comparisons.
//!
//! They are on the disk without a name while they are sent, and a reader may be slow. Without a bound, one client that
//! asks often and reads slowly fills the disk.
//!
//! Invariants:
//! - at most [`COPIES_MAX`] of them exist, with [`COPIES_BYTES_MAX`] bytes together; a larger one is the only one;
//! - one client holds no more than [`COPIES_OF_CLIENT_MAX`], so that it cannot keep others out;
//! - a request that finds no room waits [`WAIT`] and is then refused for now.

use futures_util::future::BoxFuture;
use muster_reports::error::{Error, Result};
use muster_reports::ids::ClientId;
use muster_reports::ports::Ids;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Most files for answers at a time.
const COPIES_MAX: usize = 16;
/// Most bytes of these files together.
const COPIES_BYTES_MAX: u64 = 4 << 30;
/// Most of these files for one client.
const COPIES_OF_CLIENT_MAX: usize = 4;
/// How long a request waits for room.
const WAIT: Duration = Duration::from_secs(20);

/// The room there is.
#[derive(Debug)]
pub struct Copies {
    held: Mutex<Held>,
    freed: Notify,
    wait: Duration,
}

impl Default for Copies {
    fn default() -> Self {
        Self { held: Mutex::default(), freed: Notify::new(), wait: WAIT }
    }
}

#[derive(Debug, Default)]
struct Held {
    copies: usize,
    bytes: u64,
    by_client: HashMap<ClientId, usize>,
}

/// Room for one file; given back when dropped.
#[derive(Debug)]
pub struct Room {
    copies: Arc<Copies>,
    client: ClientId,
    bytes: u64,
}

impl Copies {
    /// Room for a file of this size. Waits up to [`WAIT`] for it.
    ///
    /// # Errors
    /// `Unavailable` when there is none.
    pub fn room<'a>(self: &'a Arc<Self>, client: &'a ClientId, bytes: u64) -> BoxFuture<'a, Result<Room>> {
        Box::pin(async move { self.waited(|| self.take(client, bytes)).await })
    }

    /// What `take` gives once there is room for it.
    async fn waited<T>(&self, mut take: impl FnMut() -> Option<T>) -> Result<T> {
        let taken = async {
            loop {
                let mut freed = std::pin::pin!(self.freed.notified());
                // Before the look, so that room which is given back after it is not missed.
                freed.as_mut().enable();
                if let Some(taken) = take() {
                    return taken;
                }
                freed.await;
            }
        };
        tokio::time::timeout(self.wait, taken).await.map_err(|_| {
            Error::unavailable(
                "too many evidence packages and comparisons are being sent: expected some to end first",
            )
        })
    }

    fn take(self: &Arc<Self>, client: &ClientId, bytes: u64) -> Option<Room> {
        let mut held = self.held();
        let of_client = held.by_client.get(client).copied().unwrap_or(0);
        let fits = held.copies == 0 || held.bytes.saturating_add(bytes) <= COPIES_BYTES_MAX;
        if !fits || held.copies >= COPIES_MAX || of_client >= COPIES_OF_CLIENT_MAX {
            return None;
        }
        held.copies += 1;
        held.bytes = held.bytes.saturating_add(bytes);
        held.by_client.insert(client.clone(), of_client + 1);
        Some(Room { copies: Arc::clone(self), client: client.clone(), bytes })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // A panic cannot leave the numbers half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Takes room for so many more bytes. Waits up to [`WAIT`] for it.
    ///
    /// # Errors
    /// `Unavailable` when there is none.
    pub fn grow(&mut self, bytes: u64) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let copies = Arc::clone(&self.copies);
            copies
                .waited(|| {
                    let mut held = copies.held();
                    let grown = held.bytes.saturating_add(bytes);
                    // One that is larger than all the room has it alone.
                    (held.copies == 1 || grown <= COPIES_BYTES_MAX).then(|| held.bytes = grown)
                })
                .await?;
            self.bytes = self.bytes.saturating_add(bytes);
            Ok(())
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut held = self.copies.held();
        held.copies -= 1;
        held.bytes = held.bytes.saturating_sub(self.bytes);
        if let Some(of_client) = held.by_client.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                held.by_client.remove(&self.client);
            }
        }
        drop(held);
        self.copies.freed.notify_waiters();
    }
}

/// A file that only its handle leads to.
pub(crate) fn unnamed_file(dir: &Path, ids: &dyn Ids) -> std::io::Result<File> {
    let path = dir.join(format!("unnamed-{}", ids.fresh()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use muster_reports::error::Category;

    fn client(number: usize) -> ClientId {
        ClientId::new(format!("client-{number}"))
    }

    /// Room for which nobody waits.
    fn copies() -> Arc<Copies> {
        Arc::new(Copies { wait: Duration::ZERO, ..Copies::default() })
    }

    #[tokio::test]
    async fn one_client_cannot_keep_others_out() {
        let copies = copies();
        let mut held = Vec::new();
        for _ in 0..COPIES_OF_CLIENT_MAX {
            held.push(copies.room(&client(0), 1).await.unwrap());
        }
        let refused = copies.room(&client(0), 1).await.unwrap_err();
        assert_eq!(refused.category, Category::Unavailable);
        drop(copies.room(&client(1), 1).await.unwrap());
    }

    #[tokio::test]
    async fn who_waits_gets_what_another_gives_back() {
        let copies = Arc::new(Copies { wait: Duration::MAX, ..Copies::default() });
        let mut held = Vec::new();
        for _ in 0..COPIES_OF_CLIENT_MAX {
            held.push(copies.room(&client(0), 1).await.unwrap());
        }
        let asking = Arc::clone(&copies);
        let waiting = tokio::spawn(async move { asking.room(&client(0), 1).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        held.pop();
        waiting.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn room_that_grows_counts_as_if_it_had_been_taken_at_once() {
        let copies = copies();
        let mut one = copies.room(&client(0), 0).await.unwrap();
        // Larger than all the room, and alone.
        one.grow(COPIES_BYTES_MAX + 1).await.unwrap();
        assert!(copies.room(&client(1), 1).await.is_err());
        drop(one);
        let mut one = copies.room(&client(0), 0).await.unwrap();
        let mut other = copies.room(&client(1), 0).await.unwrap();
        one.grow(COPIES_BYTES_MAX).await.unwrap();
        assert_eq!(other.grow(1).await.unwrap_err().category, Category::Unavailable);
        drop(one);
        other.grow(1).await.unwrap();
        drop(other);
        assert_eq!(copies.held().bytes, 0);
    }

    #[tokio::test]
    async fn there_is_an_end_to_number_and_bytes() {
        let copies = copies();
        let mut held = Vec::new();
        for number in 0..COPIES_MAX {
            held.push(copies.room(&client(number), 1).await.unwrap());
        }
        assert!(copies.room(&client(99), 1).await.is_err());
        held.clear();
        // One that is larger than all the room has it alone.
        let large = copies.room(&client(0), COPIES_BYTES_MAX + 1).await.unwrap();
        assert!(copies.room(&client(1), 1).await.is_err());
        drop(large);
        let half = copies.room(&client(0), COPIES_BYTES_MAX / 2).await.unwrap();
        assert!(copies.room(&client(1), COPIES_BYTES_MAX / 2 + 1).await.is_err());
        drop(copies.room(&client(1), COPIES_BYTES_MAX / 2).await.unwrap());
        drop(half);
        let held = copies.held();
        assert_eq!((held.bytes, held.by_client.len()), (0, 0));
    }
}
