//! Events through outages of Kafka and relays that are killed: none lost, none invented, none changed, and doubles under
//! the same id only.

use crate::cluster::Cluster;
use crate::consumer::{Seen, by_librdkafka};
use crate::process::RelayProcess;
use crate::trail::Trail;
use crate::{Properties, until};
use muster_reports::audit::ChainedEvent;
use muster_testkit::postgres::{Durability, PostgresServer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

/// Where messages go, which can be broken.
pub trait Breakable {
    /// How relays and consumers reach it.
    fn properties(&self) -> Properties;
    /// The next requests fail.
    fn disturb(&self);
    /// Nobody answers any more.
    fn down(&self);
    /// It answers again, with all that it had acknowledged.
    fn up(&self);
}

/// How many events: `MUSTER_RELAY_EVENTS`, or a number that takes seconds.
pub fn events_wanted() -> u64 {
    std::env::var("MUSTER_RELAY_EVENTS").map_or(1_500, |text| text.parse().unwrap())
}

/// The result of a run.
#[derive(Debug, Default)]
pub struct Figures {
    events: u64,
    messages: usize,
    doubles: usize,
    /// Recorded and not in the topic.
    lost: usize,
    /// In the topic and not recorded.
    invented: usize,
    /// Other than what was recorded, or than another message of the same id.
    changed: usize,
    /// Seen for the first time after one that was recorded later.
    out_of_order: usize,
    kills: u64,
    stops: u64,
    outages: u64,
    took: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events, {} messages, {} doubles, {} lost, {} invented, {} changed, {} out of order; {} relays killed, \
             {} stopped, {} outages, {} s",
            self.events,
            self.messages,
            self.doubles,
            self.lost,
            self.invented,
            self.changed,
            self.out_of_order,
            self.kills,
            self.stops,
            self.outages,
            self.took.as_secs()
        )
    }
}

/// Records events and passes them on while everything breaks; then holds the topic against the trail.
pub async fn run(
    what: &str,
    trail: &Trail,
    broken: &dyn Breakable,
    consume: impl Fn(&Properties) -> Vec<Seen>,
) {
    let events = events_wanted();
    let begun = Instant::now();
    let logs = tempfile::tempdir().unwrap();
    let mut figures = Figures { events, ..Figures::default() };
    let mut recording = trail.record(events);
    let spawn = |round: u64| {
        let name = format!("relay-{round}");
        RelayProcess::spawn(&name, &trail.place, &broken.properties(), logs.path())
    };
    let mut round = 0;
    while !recording.is_empty() || round < 6 {
        round += 1;
        let relay = spawn(round);
        let before = trail.passed_on().await;
        if round % 3 == 1 {
            broken.disturb();
        }
        // Until something has moved, or nothing is left; how far it gets after that is left to chance.
        let moved = async || trail.passed_on().await > before || trail.waiting().await == 0;
        until("something to move", Duration::from_secs(60), moved).await;
        if round % 3 == 0 {
            figures.outages += 1;
            broken.down();
        }
        tokio::time::sleep(Duration::from_millis(round * 137 % 1_000)).await;
        if round % 4 == 0 {
            figures.stops += 1;
            relay.stop();
        } else {
            figures.kills += 1;
            relay.kill();
        }
        if round % 3 == 0 {
            broken.up();
        }
        while recording.try_join_next().transpose().unwrap().is_some() {}
    }
    let last = spawn(0);
    until("the last events", Duration::from_secs(600), async || trail.waiting().await == 0).await;
    last.stop();
    figures.took = begun.elapsed();
    compare(&trail.events().await, &consume(&broken.properties()), &mut figures);
    println!("{what}: {figures}");
    assert!(trail.is_sound().await, "{what}: the chains are whole");
    assert_eq!((figures.lost, figures.invented, figures.changed), (0, 0, 0), "{what}: {figures}");
}

fn compare(recorded: &BTreeMap<String, Vec<ChainedEvent>>, seen: &[Seen], figures: &mut Figures) {
    let mut by_id: BTreeMap<&str, &Seen> = BTreeMap::new();
    let mut latest: BTreeMap<&str, u64> = BTreeMap::new();
    let all: BTreeMap<&str, &ChainedEvent> =
        recorded.values().flatten().map(|event| (event.event.id.as_str(), event)).collect();
    assert_eq!(all.len() as u64, figures.events, "the trail has all of them");
    let mut changed = BTreeSet::new();
    for message in seen {
        if let Some(first) = by_id.insert(message.id(), message) {
            figures.doubles += 1;
            if first != message {
                changed.insert(message.id());
            }
            continue;
        }
        let Some(event) = all.get(message.id()) else {
            figures.invented += 1;
            continue;
        };
        if !is_of(message, event) {
            changed.insert(message.id());
        }
        let latest = latest.entry(&message.key).or_default();
        figures.out_of_order += usize::from(event.sequence < *latest);
        *latest = event.sequence.max(*latest);
    }
    figures.messages = seen.len();
    figures.lost = all.keys().filter(|id| !by_id.contains_key(*id)).count();
    figures.changed = changed.len();
}

/// Whether the message says what was recorded.
fn is_of(message: &Seen, ChainedEvent { event, .. }: &ChainedEvent) -> bool {
    let trace = event.caller.trace.as_ref().unwrap();
    let header = |name: &str| message.headers.get(name).map(String::as_str);
    message.key == event.caller.tenant.as_str()
        && message.document["id"] == event.id
        && message.document["details"] == event.details
        && header("traceparent") == Some(&trace.parent_header())
        && header("tracestate") == trace.state_header()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_on_sqlite() {
    run("SQLite", &Trail::on_sqlite().await, &Cluster::new(), by_librdkafka).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_on_postgresql() {
    let Some(server) = PostgresServer::start(Durability::Synced) else { return };
    run("PostgreSQL", &Trail::on_postgres(&server).await, &Cluster::new(), by_librdkafka).await;
}
