//! Audit trails in a real store.

use chrono::{DateTime, Utc};
use muster_reports::audit::ChainedEvent;
use muster_reports::ids::TenantId;
use muster_reports::ports::{AuditTrail, Clock, RelayLog};
use muster_reports::trace::Trace;
use muster_store::{Place, SealKey, Settings, Store};
use muster_testkit::build;
use muster_testkit::postgres::PostgresServer;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// The tenants whose trails there are.
pub const TENANTS: [&str; 3] = ["acme", "globex", "initech"];
/// Callers that record at the same time, as requests do.
const RECORDING: u64 = 24;

/// The machine's clock.
#[derive(Debug)]
pub struct MachineClock;

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "leases of two processes end by the same clock")]
    fn now(&self) -> DateTime<Utc> {
        std::time::SystemTime::now().into()
    }
}

/// A store with trails, and the folder or server that holds it.
pub struct Trail {
    pub store: Arc<Store>,
    /// As [`open`] takes it.
    pub place: String,
    recorded: Arc<AtomicU64>,
    _folder: Option<TempDir>,
}

/// Opens a store: a PostgreSQL URL, or the path of a file.
pub async fn open(place: &str) -> Store {
    let place = match place.starts_with("postgres") {
        true => Place::Postgres(place.parse().unwrap()),
        false => Place::Sqlite(place.into()),
    };
    let settings = Settings { seal_key: Some(SealKey::new([7; 32])), ..Settings::default() };
    Store::open(&place, settings).await.unwrap()
}

impl Trail {
    pub async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("muster.db").to_str().unwrap().to_owned();
        Self { _folder: Some(folder), ..Self::at(place).await }
    }

    pub async fn on_postgres(server: &PostgresServer) -> Self {
        Self::at(server.fresh_url()).await
    }

    async fn at(place: String) -> Self {
        Self { store: Arc::new(open(&place).await), place, recorded: Arc::default(), _folder: None }
    }

    /// Records `events` events, the tenants in turn, from many callers at once. Each has a trace, every second one with
    /// a state.
    pub fn record(&self, events: u64) -> JoinSet<()> {
        let next = Arc::new(AtomicU64::new(0));
        let mut recording = JoinSet::new();
        for _ in 0..RECORDING {
            let (store, next, recorded) = (self.store.clone(), next.clone(), self.recorded.clone());
            recording.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= events {
                        return;
                    }
                    let tenant = TENANTS[(number % 3) as usize];
                    let mut event = build::audit_event(&format!("{tenant}-{number}"), MachineClock.now());
                    event.caller.tenant = TenantId::new(tenant);
                    event.caller.trace = Some(match number % 2 {
                        0 => Trace::begin(&format!("{:032x}", number + 1)),
                        _ => build::trace(Some("rojo=00f067aa0ba902b7")),
                    });
                    store.record(&event).await.unwrap();
                    recorded.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        recording
    }

    /// Events that no relay has passed on.
    pub async fn waiting(&self) -> u64 {
        let backlogs = self.store.backlogs().await.unwrap();
        backlogs.iter().map(|backlog| backlog.recorded - backlog.relayed).sum()
    }

    /// Events that a relay has passed on; while others are recorded, it may be a few more.
    pub async fn passed_on(&self) -> u64 {
        let recorded = self.recorded.load(Ordering::Relaxed);
        recorded.saturating_sub(self.waiting().await)
    }

    /// All events by tenant, in their order.
    pub async fn events(&self) -> BTreeMap<String, Vec<ChainedEvent>> {
        let mut all = BTreeMap::new();
        for tenant in TENANTS {
            let mut events: Vec<ChainedEvent> = Vec::new();
            loop {
                let after = events.last().map_or(0, |last| last.sequence);
                let page = self.store.events(&TenantId::new(tenant), after, 1_000).await.unwrap();
                if page.is_empty() {
                    break;
                }
                events.extend(page);
            }
            all.insert(tenant.to_owned(), events);
        }
        all
    }

    /// Whether the chains are whole.
    pub async fn is_sound(&self) -> bool {
        let mut sound = true;
        for tenant in TENANTS {
            sound &= self.store.verify_audit(&TenantId::new(tenant), Vec::new()).await.unwrap().is_sound();
        }
        sound
    }
}
