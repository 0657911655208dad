//! Checks before a task is started whether a query can be parsed and run.
//!
//! Why on threads of their own: checking many patterns takes long. On the threads that answer requests, it would delay
//! every client and the health check.
//!
//! Invariants: at most [`CHECKS_MAX`] queries are checked at a time. A place becomes free only when its thread ends. A
//! check is not started if its client has disconnected, and a check that is running then ends at its next step. (A step
//! parses at most 16 KiB of text, or checks one test of a value.)

use async_trait::async_trait;
use muster_querystring::{matching, parse};
use muster_reports::error::{Error, Result};
use muster_reports::ports::QueryLanguage;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::AbortOnDropHandle;

/// Queries that are checked at the same time.
const CHECKS_MAX: usize = 2;

/// How long a start waits until its query can be checked. After that, it is refused with 503 and can be repeated.
const CHECK_WAIT_MAX: Duration = Duration::from_secs(3);

/// Parses queries with `muster-querystring`.
#[derive(Debug, Clone)]
pub struct SearchLanguage {
    places: Arc<Semaphore>,
    wait: Duration,
}

impl Default for SearchLanguage {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(CHECKS_MAX)), wait: CHECK_WAIT_MAX }
    }
}

impl SearchLanguage {
    /// Waits for a free place.
    async fn place(&self) -> Result<OwnedSemaphorePermit> {
        let place = tokio::time::timeout(self.wait, self.places.clone().acquire_owned()).await;
        let place =
            place.map_err(|_| Error::unavailable("too many queries are being checked: expected fewer"))?;
        Ok(place.expect("the semaphore is never closed"))
    }
}

/// Sets its signal when it is dropped.
#[derive(Default)]
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` on a thread that answers no requests, and keeps `place` until it ends. `work` gets a signal that tells
/// it when nobody waits for the result.
async fn on_a_thread(
    place: OwnedSemaphorePermit,
    work: impl FnOnce(&Arc<AtomicBool>) -> Result<()> + Send + 'static,
) -> Result<()> {
    let waiting = Waiting::default();
    let abandoned = Arc::clone(&waiting.0);
    let thread = AbortOnDropHandle::new(tokio::task::spawn_blocking(move || {
        let _place = place;
        work(&abandoned)
    }));
    thread.await.unwrap_or_else(|error| Err(Error::internal("the query could not be checked", error)))
}

#[async_trait]
impl QueryLanguage for SearchLanguage {
    async fn check(&self, query: &str) -> Result<()> {
        let place = self.place().await?;
        let query = query.to_owned();
        on_a_thread(place, move |abandoned| check(&query, abandoned)).await
    }
}

fn check(query: &str, abandoned: &Arc<AtomicBool>) -> Result<()> {
    let read = parse(query).map_err(|error| Error::invalid(error.to_string()))?;
    matching::check_unless(&read, abandoned).map_err(|error| {
        let column = query.get(..error.span.start).map_or(0, |before| before.chars().count()) + 1;
        Error::invalid(format!("column {column}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use muster_reports::error::Category;
    use std::sync::mpsc;

    #[tokio::test]
    async fn a_query_that_cannot_be_read_says_where() {
        SearchLanguage::default().check("name:a* AND @accounts(disabled:true)").await.unwrap();
        let error = SearchLanguage::default().check("name:a AND").await.unwrap_err();
        assert!(error.message.contains("11"), "{}", error.message);
    }

    /// This runtime has one thread: a check on that thread would block the test.
    #[tokio::test]
    async fn a_check_that_takes_long_holds_up_nobody_and_its_place_is_taken_until_it_ends() {
        let language = SearchLanguage { places: Arc::new(Semaphore::new(1)), wait: Duration::ZERO };
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, may_end) = mpsc::channel::<()>();
        let long = tokio::spawn(on_a_thread(language.place().await.unwrap(), move |_| {
            let _ = begun.send(());
            let _ = may_end.recv();
            Ok(())
        }));
        has_begun.await.unwrap();
        let refused = language.check("name:a").await.unwrap_err();
        assert_eq!(refused.category, Category::Unavailable);
        // The client disconnects. The thread still computes, so the place is not free.
        long.abort();
        assert!(long.await.unwrap_err().is_cancelled());
        assert_eq!(language.check("name:a").await.unwrap_err().category, Category::Unavailable);
        end.send(()).unwrap();
        let patient = SearchLanguage { wait: Duration::from_secs(3_600), ..language };
        patient.check("name:a").await.unwrap();
    }

    /// A check that reads its signal ends when its client has disconnected. Its place becomes free.
    #[tokio::test]
    async fn a_check_is_told_that_its_request_is_gone() {
        let language =
            SearchLanguage { places: Arc::new(Semaphore::new(1)), wait: Duration::from_secs(3_600) };
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let long = tokio::spawn(on_a_thread(language.place().await.unwrap(), move |abandoned| {
            let _ = begun.send(());
            while !abandoned.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            Ok(())
        }));
        has_begun.await.unwrap();
        long.abort();
        language.check("name:a").await.unwrap();
    }
}
