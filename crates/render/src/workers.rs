//! Work on several threads whose results are taken in the order in which the work was given out.
//!
//! Why here: a file's bytes must not depend on how many threads made them. A writer cuts its rows into jobs by rules
//! that know no threads, and appends the results in order.
//!
//! Invariants:
//! - results are taken in the order of the jobs, whichever thread was the fastest;
//! - with one thread there is no other: the caller does each job when it gives it out;
//! - at most [`Workers::in_flight_max`] results of one kind wait, so memory is bounded;
//! - dropping [`Workers`] ends its threads: jobs that have not begun are not done.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

type Job = Box<dyn FnOnce() + Send>;

/// The threads of one writer. They begin with the first job.
#[derive(Debug)]
pub(crate) struct Workers {
    threads: usize,
    queue: Option<mpsc::Sender<Job>>,
    running: Vec<JoinHandle<()>>,
    abandoned: Arc<AtomicBool>,
}

impl Workers {
    /// At least one.
    pub(crate) fn new(threads: usize) -> Self {
        Self { threads: threads.max(1), queue: None, running: Vec::new(), abandoned: Arc::default() }
    }

    /// How many results of one kind may wait.
    pub(crate) fn in_flight_max(&self) -> usize {
        if self.threads == 1 { 0 } else { 2 * self.threads }
    }

    /// Does a job, now or on another thread.
    fn run(&mut self, job: Job) {
        if self.threads == 1 {
            return job();
        }
        // The threads end only after the queue.
        let _ = self
            .queue
            .get_or_insert_with(|| start(self.threads, &mut self.running, &self.abandoned))
            .send(job);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
        self.queue = None;
        for thread in self.running.drain(..) {
            // A thread that panicked has been noticed where its result was missing.
            let _ = thread.join();
        }
    }
}

fn start(
    threads: usize,
    running: &mut Vec<JoinHandle<()>>,
    abandoned: &Arc<AtomicBool>,
) -> mpsc::Sender<Job> {
    let (queue, jobs) = mpsc::channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    running.extend((0..threads).map(|_| {
        let (jobs, abandoned) = (jobs.clone(), abandoned.clone());
        std::thread::spawn(move || {
            loop {
                let job = locked(&jobs).recv();
                match job {
                    Ok(job) if !abandoned.load(Ordering::Relaxed) => job(),
                    Ok(_) | Err(_) => return,
                }
            }
        })
    }));
    queue
}

/// Results of one kind, in the order of their jobs.
#[derive(Debug)]
pub(crate) struct InOrder<T> {
    waiting: VecDeque<mpsc::Receiver<T>>,
}

impl<T: Send + 'static> InOrder<T> {
    pub(crate) fn new() -> Self {
        Self { waiting: VecDeque::new() }
    }

    /// Gives out a job.
    pub(crate) fn give(&mut self, workers: &mut Workers, job: impl FnOnce() -> T + Send + 'static) {
        let (done, result) = mpsc::sync_channel(1);
        self.waiting.push_back(result);
        workers.run(Box::new(move || {
            // Nobody waits for it where the writer was dropped.
            let _ = done.send(job());
        }));
    }

    /// The oldest result that was not taken. Waits for it where more than `waiting_max` are not taken; otherwise it is
    /// returned if it is there.
    ///
    /// # Panics
    /// When the job has panicked.
    pub(crate) fn take(&mut self, waiting_max: usize) -> Option<T> {
        let oldest = self.waiting.front()?;
        let result = if self.waiting.len() > waiting_max {
            oldest.recv().expect("a job gives its result, unless it panics")
        } else {
            match oldest.try_recv() {
                Ok(result) => result,
                Err(mpsc::TryRecvError::Empty) => return None,
                Err(mpsc::TryRecvError::Disconnected) => panic!("a job has panicked"),
            }
        };
        self.waiting.pop_front();
        Some(result)
    }
}

/// Things that are costly to make and that jobs use one after another: buffers, fonts, compressors.
#[derive(Debug)]
pub(crate) struct Spares<T>(Arc<Mutex<Vec<T>>>);

impl<T> Spares<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn take(&self) -> Option<T> {
        locked(&self.0).pop()
    }

    pub(crate) fn give_back(&self, spare: T) {
        locked(&self.0).push(spare);
    }
}

impl<T> Clone for Spares<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What the lock guards is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        for threads in [1, 2, 4] {
            let mut workers = Workers::new(threads);
            let mut results = InOrder::new();
            let mut taken = Vec::new();
            for number in 0..100_u64 {
                results.give(&mut workers, move || {
                    std::thread::sleep(Duration::from_micros(number * 37 % 400));
                    number
                });
                while let Some(number) = results.take(workers.in_flight_max()) {
                    taken.push(number);
                }
                assert!(results.waiting.len() <= workers.in_flight_max());
            }
            while let Some(number) = results.take(0) {
                taken.push(number);
            }
            assert_eq!(taken, (0..100).collect::<Vec<_>>(), "{threads} threads");
        }
    }

    #[test]
    fn what_has_not_begun_is_not_done_once_the_workers_are_dropped() {
        let mut workers = Workers::new(2);
        let mut results = InOrder::new();
        let done = Arc::new(Mutex::new(0));
        for _ in 0..1_000 {
            let done = done.clone();
            results.give(&mut workers, move || {
                std::thread::sleep(Duration::from_millis(1));
                *locked(&done) += 1;
            });
        }
        drop(workers);
        assert!(*locked(&done) < 1_000);
    }
}
