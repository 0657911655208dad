//! Whether the service can work now: it is not stopping, its disks have room, its audit trail can continue, its bucket of
//! results answers, and its newest snapshot looks complete.

use crate::result_files::ResultFiles;
use async_trait::async_trait;
use muster_engine::Engine;
use muster_engine::digests::Damage;
use muster_reports::SnapshotManifest;
use muster_reports::error::{Category, Error, Result, error_chain};
use muster_reports::ids::TenantId;
use muster_reports::ports::{AuditTrail, Readiness, SnapshotCatalogue};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What the service needs to do its work.
pub struct ServiceReadiness {
    /// The audit trail, which also shows whether the store answers.
    pub audit: Arc<dyn AuditTrail>,
    /// What knows the snapshots.
    pub snapshots: Arc<dyn SnapshotCatalogue>,
    /// What knows their tables.
    pub engine: Arc<Engine>,
    /// The tenant of the trail and the snapshots.
    pub tenant: TenantId,
    /// Folders whose disks must have room; each may be a file system of its own.
    pub folders: Vec<PathBuf>,
    /// Where results are, if they are to be asked after: in a bucket, which can be out of reach.
    pub results: Option<AskedResults>,
    /// Cancelled when the service stops.
    pub stopping: CancellationToken,
}

/// How long the answer of a bucket counts.
const ANSWER_COUNTS: Duration = Duration::from_secs(10);
/// How long it counts that a bucket did not answer.
const SILENCE_COUNTS: Duration = Duration::from_secs(5);

/// The place of results, asked seldom: many may ask whether the service is ready, and a bucket costs time and money.
///
/// Invariants: one asks at a time, the others wait for its answer; nobody waits longer than one answer may take.
pub struct AskedResults {
    files: Arc<ResultFiles>,
    counts: [Duration; 2],
    last: Mutex<Option<Asked>>,
}

/// What came of it, and until when it counts.
struct Asked {
    until: Instant,
    fault: Option<(Category, String, String)>,
}

impl AskedResults {
    /// Nothing is asked yet.
    pub fn of(files: Arc<ResultFiles>) -> Self {
        Self { files, counts: [ANSWER_COUNTS, SILENCE_COUNTS], last: Mutex::default() }
    }

    /// Whether it answers, or did a short time ago.
    async fn answer(&self) -> Result<()> {
        let mut last = self.last.lock().await;
        let known = last.take().filter(|asked| Instant::now() < asked.until);
        let asked = match known {
            Some(asked) => asked,
            None => {
                let fault = self.files.bucket_answers().await.err().map(|error| {
                    let cause = error.source.as_deref().map(|cause| error_chain(cause)).unwrap_or_default();
                    (error.category, error.message, cause)
                });
                let [answer, silence] = self.counts;
                let counts = if fault.is_none() { answer } else { silence };
                Asked { until: Instant::now() + counts, fault }
            }
        };
        let fault = last.insert(asked).fault.clone();
        fault.map_or(Ok(()), |(category, message, cause)| {
            Err(Error { category, ..Error::internal(message, cause) })
        })
    }
}

/// Bytes that a disk must have left: with fewer, no report can be written.
const ROOM_MIN: u64 = 1 << 20;

/// Bytes that the disk of a folder has left for this user.
///
/// # Errors
/// `Internal` if the disk cannot be looked at.
pub fn free_bytes(folder: &Path) -> Result<u64> {
    let disk = look_at(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn look_at(folder: &Path) -> Result<rustix::fs::StatVfs> {
    rustix::fs::statvfs(folder).map_err(|error| {
        Error::internal(format!("the disk of {} cannot be looked at", folder.display()), error)
    })
}

/// Whether a folder's disk takes another file.
fn has_room(folder: &Path) -> Result<()> {
    let disk = look_at(folder)?;
    let full = |what| Err(Error::broken(format!("the disk of {} {what}", folder.display())));
    if disk.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        return full("may not be written to");
    }
    if disk.f_bavail.saturating_mul(disk.f_frsize) < ROOM_MIN {
        return full("is full");
    }
    // A file system without a fixed number of files has none.
    if disk.f_files > 0 && disk.f_favail == 0 {
        return full("has no room for another file");
    }
    Ok(())
}

#[async_trait]
impl Readiness for ServiceReadiness {
    async fn ready(&self) -> Result<()> {
        if self.stopping.is_cancelled() {
            return Err(Error::unavailable("the service is stopping"));
        }
        let folders = self.folders.clone();
        // A network file system may be slow.
        tokio::task::spawn_blocking(move || folders.iter().try_for_each(|folder| has_room(folder)))
            .await
            .map_err(|error| Error::internal("the disks cannot be looked at", error))??;
        // It also shows whether the store answers.
        self.audit.can_go_on(&self.tenant).await?;
        if let Some(results) = &self.results {
            results.answer().await?;
        }
        // Reports over an incomplete snapshot fail.
        if let Some(newest) = self.snapshots.newest(&self.tenant).await?
            && let Some(damage) = apparent_damage(&self.engine, newest).await?
        {
            return Err(Error::broken(format!(
                "table {:?} of the newest snapshot is damaged: {}",
                damage.table, damage.fault
            )));
        }
        Ok(())
    }
}

/// Damage of a snapshot that a look at its files shows.
async fn apparent_damage(engine: &Arc<Engine>, manifest: Arc<SnapshotManifest>) -> Result<Option<Damage>> {
    let engine = engine.clone();
    let looked = tokio::task::spawn_blocking(move || engine.apparent_damage(&manifest)).await;
    looked.map_err(|error| Error::internal("the files of a snapshot could not be looked at", error))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::bucket::BucketPlace;
    use muster_testkit::servers::buckets::ObjectStoreServer;
    use std::net::TcpListener;

    fn asked(dir: &Path, place: &str, properties: Vec<(String, String)>, counts: Duration) -> AskedResults {
        let place = BucketPlace::read(place, properties).unwrap();
        let files =
            ResultFiles::in_bucket(dir.join("results"), dir.join("drafts"), &place, "a mark".to_owned());
        AskedResults { counts: [counts; 2], ..AskedResults::of(Arc::new(files.unwrap())) }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_of_the_bucket_counts_for_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let Some(server) = ObjectStoreServer::moto(dir.path()) else { return };
        let place = server.place("results");
        let [each, kept] = [Duration::ZERO, Duration::from_secs(3_600)]
            .map(|counts| asked(dir.path(), &place, server.properties(), counts));
        for results in [&each, &kept] {
            results.answer().await.unwrap();
        }
        // A bucket that is not there.
        let elsewhere = server.place("results").replace("//muster", "//another");
        let error = asked(dir.path(), &elsewhere, server.properties(), Duration::ZERO).answer().await;
        let error = error.unwrap_err();
        assert!(matches!(error.category, Category::Unavailable | Category::Broken), "{error:?}");
        assert!(error.message.contains("//another"), "{error}");

        drop(server);
        let error = each.answer().await.unwrap_err();
        assert_eq!(error.category, Category::Unavailable, "{error:?}");
        assert!(error.message.contains(&place), "{error}");
        kept.answer().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_bucket_that_says_nothing_is_asked_once_for_all() {
        let dir = tempfile::tempdir().unwrap();
        // Connections are taken and never answered.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let properties = [
            ("aws_endpoint_url", format!("http://{}", silent.local_addr().unwrap())),
            ("aws_allow_http", "true".to_owned()),
            ("aws_region", "eu-central-1".to_owned()),
            ("aws_access_key_id", "tests".to_owned()),
            ("aws_secret_access_key", "not-to-be-seen".to_owned()),
        ];
        let properties = properties.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let results =
            Arc::new(asked(dir.path(), "s3://muster/results", properties, Duration::from_secs(3_600)));
        let began = Instant::now();
        let probes = (0..20).map(|_| {
            let results = Arc::clone(&results);
            tokio::spawn(async move { results.answer().await.unwrap_err() })
        });
        for probe in probes.collect::<Vec<_>>() {
            let error = probe.await.unwrap();
            assert_eq!(error.category, Category::Unavailable);
            assert_eq!(
                error.message,
                "the bucket of results, s3://muster/results, does not answer within 2 s"
            );
        }
        // One after the other, they would take 40 s.
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        silent.set_nonblocking(true).unwrap();
        assert_eq!(silent.incoming().map_while(|connection| connection.ok()).count(), 1);
    }

    #[test]
    fn a_disk_with_room_is_ready_and_one_that_is_not_there_is_told() {
        assert!(has_room(&std::env::temp_dir()).is_ok());
        let error = has_room(Path::new("/there/is/no/such/folder")).err().map(|error| error.message);
        assert_eq!(error.as_deref(), Some("the disk of /there/is/no/such/folder cannot be looked at"));
    }
}
