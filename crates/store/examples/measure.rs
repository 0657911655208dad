//! Prints what the task store costs on this disk: latency of a start, rate of whole tasks, starts of many
//! clients at once with and without their events, and the way from a start to a waiting worker.
//!
//! `cargo run --release -p muster-store --example measure -- DIR`. Instead of DIR a `postgres://` URL of an empty
//! schema, or `postgres` for a server of Debian's package that is started for it.

use muster_reports::error::{Error, Result};
use muster_reports::ids::WorkerId;
use muster_reports::ports::TaskStore;
use muster_reports::task::{AttemptEnd, Claim};
use muster_store::{Place, SealKey, Settings, Store};
use muster_testkit::build;
use muster_testkit::postgres::{Durability, PostgresServer};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Clients that start at the same time.
const CLIENTS: u64 = 32;
const LEASE: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let given = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let server = if given == "postgres" { PostgresServer::start(Durability::Synced) } else { None };
    let given = server.as_ref().map_or(given, PostgresServer::fresh_url);
    let file = std::path::PathBuf::from(&given).join("measure.db");
    let place = match given.starts_with("postgres") {
        true => Place::Postgres(given.parse()?),
        false => Place::Sqlite(file.clone()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::internal("no runtime", error))?;
    let outcome = runtime.block_on(measure(&place));
    let _ = std::fs::remove_file(file.with_extension("db.lock"));
    let _ = std::fs::remove_file(file);
    outcome
}

async fn measure(place: &Place) -> Result<()> {
    // As many connections as clients, and room for all that they start.
    let (connections, live_max) = (CLIENTS as u32, 1_000_000);
    let seal_key = Some(SealKey::new([7; 32]));
    let settings = Settings { seal_key, connections, live_max, ..Settings::default() };
    let store = Arc::new(Store::open(place, settings).await?);
    one_after_another(&store, 0, 2_000, false).await?;
    // As the service does it: each start with its event in the audit trail.
    one_after_another(&store, 2_000_000, 2_000, true).await?;
    for callers in [8, 64] {
        many_at_once(&store, callers * 10_000, callers, 200).await?;
    }
    to_a_waiting_worker(&store, 1_000_000, 1_000).await?;
    // Last, because nobody ends these tasks.
    starts_at_once(&store, 3_000_000, false).await?;
    starts_at_once(&store, 4_000_000, true).await?;
    store.close().await;
    Ok(())
}

async fn one_after_another(store: &Store, first: u64, count: u64, recorded: bool) -> Result<()> {
    let now = build::start_of_time();
    let began = Instant::now();
    let (mut starts, mut claims, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for number in first..first + count {
        let mut new = build::new_task(number, now);
        new.event = recorded.then(|| build::audit_event(&number.to_string(), now));
        let at = Instant::now();
        store.start(new).await?;
        starts.push(at.elapsed());
        let at = Instant::now();
        let claim = claim(store).await?;
        claims.push(at.elapsed());
        let at = Instant::now();
        finish(store, &claim).await?;
        ends.push(at.elapsed());
    }
    let rate = count as f64 / began.elapsed().as_secs_f64();
    let how = if recorded { "recorded start" } else { "start" };
    println!("one after another: {rate:.0} tasks/s ({how}, claim, finish)");
    for (name, times) in [("start", starts), ("claim", claims), ("finish", ends)] {
        println!("  {name:<7}{}", spread(times));
    }
    Ok(())
}

async fn many_at_once(store: &Arc<Store>, first: u64, callers: u64, each: u64) -> Result<()> {
    let began = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let store = store.clone();
            tokio::spawn(async move {
                let now = build::start_of_time();
                let mut starts = Vec::new();
                for number in 0..each {
                    let at = Instant::now();
                    store.start(build::new_task(first + caller * each + number, now)).await?;
                    starts.push(at.elapsed());
                    let claim = claim(&store).await?;
                    finish(&store, &claim).await?;
                }
                Ok::<_, Error>(starts)
            })
        })
        .collect();
    let mut starts = Vec::new();
    for task in tasks {
        starts.extend(task.await.map_err(|error| Error::internal("a caller broke", error))??);
    }
    let rate = (callers * each) as f64 / began.elapsed().as_secs_f64();
    println!("{callers} callers at once: {rate:.0} tasks/s (start, claim, finish)");
    println!("  start  {}", spread(starts));
    Ok(())
}

/// Starts alone. Each with its event waits for its tenant's chain, and all are of one tenant.
async fn starts_at_once(store: &Arc<Store>, first: u64, recorded: bool) -> Result<()> {
    const EACH: u64 = 100;
    let began = Instant::now();
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let store = store.clone();
            tokio::spawn(async move {
                let now = build::start_of_time();
                let mut starts = Vec::new();
                for number in first + client * EACH..first + (client + 1) * EACH {
                    let mut new = build::new_task(number, now);
                    new.event = recorded.then(|| build::audit_event(&number.to_string(), now));
                    let at = Instant::now();
                    store.start(new).await?;
                    starts.push(at.elapsed());
                }
                Ok::<_, Error>(starts)
            })
        })
        .collect();
    let mut starts = Vec::new();
    for task in tasks {
        starts.extend(task.await.map_err(|error| Error::internal("a client broke", error))??);
    }
    let rate = (CLIENTS * EACH) as f64 / began.elapsed().as_secs_f64();
    let how = if recorded { "each with its event" } else { "without events" };
    println!("{CLIENTS} clients at once: {rate:.0} starts/s ({how})");
    println!("  start  {}", spread(starts));
    Ok(())
}

async fn to_a_waiting_worker(store: &Arc<Store>, first: u64, count: u64) -> Result<()> {
    let mut ways = Vec::new();
    for number in first..first + count {
        let worker = tokio::spawn({
            let store = store.clone();
            async move {
                loop {
                    store.work_or(LEASE).await;
                    let now = build::start_of_time();
                    if let Some(claim) = store.claim(&WorkerId::new("w"), now, LEASE).await? {
                        return Ok::<_, Error>((claim, Instant::now()));
                    }
                }
            }
        });
        tokio::task::yield_now().await;
        let at = Instant::now();
        store.start(build::new_task(number, build::start_of_time())).await?;
        let (claim, claimed) = worker.await.map_err(|error| Error::internal("a worker broke", error))??;
        ways.push(claimed - at);
        finish(store, &claim).await?;
    }
    println!("from the call of start to a waiting worker's claim:");
    println!("         {}", spread(ways));
    Ok(())
}

async fn claim(store: &Store) -> Result<Claim> {
    loop {
        if let Some(claim) = store.claim(&WorkerId::new("w"), build::start_of_time(), LEASE).await? {
            return Ok(claim);
        }
        // Others are claiming all that this one saw.
        tokio::task::yield_now().await;
    }
}

async fn finish(store: &Store, claim: &Claim) -> Result<()> {
    let result = build::task_result(&claim.task.id, claim.lease.epoch, 10);
    let end = AttemptEnd::Done { result, messages: Vec::new() };
    store.end_attempt(&claim.lease, end, build::start_of_time()).await?;
    Ok(())
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: f64| {
        let place = (times.len() as f64 * share) as usize;
        times[place.min(times.len() - 1)].as_secs_f64() * 1_000.0
    };
    format!("p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms", at(0.5), at(0.99), at(1.0))
}
