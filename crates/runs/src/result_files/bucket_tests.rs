//! Result files over object stores: the same contract over each that is installed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use crate::result_expiry::ResultExpiry;
use muster_reports::FileFormat;
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::ids::{WorkerId, hex};
use muster_reports::ports::{Clock, TaskStore};
use muster_reports::result_life::ResultPolicy;
use muster_reports::task::AttemptEnd;
use muster_testkit::servers::buckets::{ObjectStoreServer, SECRET};
use muster_testkit::{MemoryStore, TestClock, acts, build};
use object_store::ObjectStoreExt;
use sha2::{Digest, Sha256};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a part: S3's least.
const PART: u64 = 5 << 20;

struct World {
    server: ObjectStoreServer,
    dir: tempfile::TempDir,
    files: ResultFiles,
}

impl World {
    fn of(start: impl FnOnce(&Path) -> Option<ObjectStoreServer>) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let server = start(dir.path())?;
        let files = Self::opened(&server, dir.path(), "results", "a mark");
        Some(Self { server, dir, files })
    }

    fn opened(server: &ObjectStoreServer, dir: &Path, folder: &str, mark: &str) -> ResultFiles {
        let place = BucketPlace::read(&server.place(folder), server.properties()).unwrap().in_parts_of(PART);
        let drafts = dir.join("drafts");
        std::fs::create_dir_all(&drafts).unwrap();
        ResultFiles::in_bucket(dir.join("results"), drafts, &place, mark.to_owned()).unwrap()
    }

    /// Writes a file of the first attempt at a task, and what its record says.
    fn written(&self, task: &str, content: &[u8]) -> (PendingFile, PublishedFile) {
        let mut file = self.files.create(&TaskId::new(task), 1, "report.csv").unwrap();
        file.write_all(content).unwrap();
        let record = PublishedFile {
            format: FileFormat::Csv,
            stored_name: file.stored_name().to_owned(),
            media_type: "text/csv".into(),
            extension: "csv".into(),
            bytes: content.len() as u64,
            rows: 1,
            sha256: hex(Sha256::digest(content)),
        };
        (file, record)
    }

    /// Publishes a file; its record.
    async fn published(&self, task: &str, content: &[u8]) -> PublishedFile {
        let (file, record) = self.written(task, content);
        self.publish(file, &record, pending()).await.unwrap();
        record
    }

    async fn publish(
        &self,
        file: PendingFile,
        record: &PublishedFile,
        stopped: impl Future<Output = ()> + Send + 'static,
    ) -> Result<()> {
        let records = [record.clone()];
        tokio::task::spawn_blocking(move || publish_together(vec![file], &records, stopped)).await.unwrap()
    }

    async fn read(&self, name: &str, range: Option<Range<u64>>) -> Result<Option<Vec<u8>>> {
        let (files, name) = (self.files.clone(), name.to_owned());
        let read = move || {
            let Some(mut found) = files.find_published(&name, range)? else { return Ok(None) };
            let mut content = Vec::new();
            found.content.read_to_end(&mut content).unwrap();
            Ok(Some(content))
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    fn bucket(&self) -> &ResultBucket {
        self.files.bucket.as_ref().unwrap()
    }

    /// Names of drafts that are left.
    fn drafts(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("drafts")).unwrap().count()
    }

    async fn names(&self) -> Vec<String> {
        self.bucket().list().await.unwrap().names
    }
}

/// Bytes without a pattern that a store could lose or double unnoticed.
fn content(bytes: u64) -> Vec<u8> {
    (0..bytes).map(|at| ((at as u32).wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// What holds over every store.
async fn contract(world: &World) {
    // Files of no part, of one, of several, and nothing at all.
    for (task, bytes) in [("empty", 0), ("small", 1_000), ("part", PART), ("parts", 2 * PART + 7)] {
        let content = content(bytes);
        let record = world.published(task, &content).await;
        assert!(world.read(&record.stored_name, None).await.unwrap().unwrap() == content, "{task}");
        let files = world.files.clone();
        tokio::task::spawn_blocking(move || files.check_published(&record)).await.unwrap().unwrap();
    }
    assert_eq!(world.drafts(), 0);
    let whole = content(2 * PART + 7);
    for range in [0..1, 1_000..70_000, PART - 3..PART + 3, 2 * PART + 6..2 * PART + 7, 5..5] {
        let part = world.read("parts.1.report.csv", Some(range.clone())).await.unwrap().unwrap();
        assert!(part == whole[range.start as usize..range.end as usize], "{range:?}");
    }
    let beyond = world.read("small.1.report.csv", Some(0..1_001)).await.unwrap_err();
    assert!(beyond.message.starts_with("cannot read "), "{beyond}");

    // A file that was changed since its digest was computed is none.
    for (task, bytes) in [("changed", 10), ("changed-parts", PART + 1)] {
        let (mut file, record) = world.written(task, &content(bytes));
        file.write_all(b"more").unwrap();
        let refused = world.publish(file, &record, pending()).await.unwrap_err();
        assert!(refused.message.contains("was changed before it was sent"), "{refused}");
        assert_eq!(world.read(&record.stored_name, None).await.unwrap(), None, "{task}");
    }

    // A file that is there is not replaced.
    let sizes: &[u64] = if world.server.knows_conditions { &[10, PART + 1] } else { &[PART + 1] };
    for &bytes in sizes {
        let task = format!("twice-{bytes}");
        world.published(&task, &content(bytes)).await;
        let again = vec![b'x'; usize::try_from(bytes).unwrap()];
        let (file, record) = world.written(&task, &again);
        // As an attempt of the same number that knows nothing of the first; its own removal afterwards is not of interest.
        let wanted = world.bucket().publish(&file.path, &record, pending()).await;
        assert!(wanted.is_err(), "{task}");
        assert!(world.read(&record.stored_name, None).await.unwrap().unwrap() == content(bytes), "{task}");
    }

    // One that is not wanted any more is gone, and so are its parts.
    let (file, record) = world.written("stopped", &content(3 * PART));
    let bucket = world.bucket().clone();
    let lists_uploads = world.server.scheme != "az";
    let stopped = async move {
        // As soon as there is something to give up.
        while lists_uploads && bucket.uploads().await.unwrap().is_empty() {}
    };
    let refused = world.publish(file, &record, stopped).await.unwrap_err();
    assert!(refused.message.contains("not wanted any more"), "{refused}");
    assert_eq!(world.read(&record.stored_name, None).await.unwrap(), None);
    assert_eq!(world.bucket().uploads().await.unwrap(), []);
    assert_eq!(world.drafts(), 0);

    let checked = world.files.check_bucket("0123").await.unwrap().unwrap();
    assert_eq!(checked.place, world.server.place("results"));
    assert_eq!(checked.refuses_to_replace, world.server.knows_conditions);

    // Removal.
    world.files.remove("small.1.report.csv").await.unwrap();
    world.files.remove("small.1.report.csv").await.unwrap();
    assert_eq!(world.read("small.1.report.csv", None).await.unwrap(), None);
    sweeps(world).await;

    // Another installation may not use the folder, and may use one beside it.
    let other = World::opened(&world.server, world.dir.path(), "results", "another mark");
    let refused = other.remove("parts.1.report.csv").await.unwrap_err();
    assert!(refused.message.contains("belong to another installation"), "{refused}");
    assert!(world.names().await.contains(&"parts.1.report.csv".to_owned()));
    let beside = World::opened(&world.server, world.dir.path(), "beside", "another mark");
    beside.remove("parts.1.report.csv").await.unwrap();

    if world.server.checks_signatures {
        signed(world).await;
    }
}

/// What no record names goes after some days, and not what somebody still writes.
async fn sweeps(world: &World) {
    let none = |_: &TaskId, _| false;
    let before = world.names().await;
    let named: HashSet<String> = before.iter().filter(|name| !name.starts_with("part.")).cloned().collect();
    let day = |number| DateTime::UNIX_EPOCH + chrono::TimeDelta::days(number);
    let sweep = |named: HashSet<String>, days| async move {
        let survey = world.files.survey().await.unwrap();
        let left = survey.left_over(&named, none);
        let unnamed: Vec<String> = left.unnamed().map(str::to_owned).collect();
        let discarded =
            tokio::task::spawn_blocking(move || left.discard(Path::new("/nowhere"), day(days), 7));
        discarded.await.unwrap().unwrap();
        unnamed
    };
    assert_eq!(sweep(named.clone(), 1).await, ["part.1.report.csv"]);
    assert_eq!(sweep(named.clone(), 7).await, ["part.1.report.csv"]);
    assert_eq!(world.names().await, before);
    // Somebody has found the database that names it.
    assert_eq!(sweep(before.iter().cloned().collect(), 8).await, [""; 0]);
    assert_eq!(sweep(named.clone(), 30).await, ["part.1.report.csv"], "its time begins again");
    assert_eq!(world.names().await, before);
    assert_eq!(sweep(named.clone(), 37).await, ["part.1.report.csv"]);
    assert_eq!(world.names().await.len(), before.len() - 1);
    assert_eq!(sweep(named, 38).await, [""; 0]);

    // Uploads that have not ended, as killed processes leave them.
    let place = BucketPlace::read(&world.server.place("results"), world.server.properties()).unwrap();
    let store = crate::bucket::store_of(&place).unwrap();
    for task in ["dead", "alive"] {
        let key = format!("results/{task}.1.report.csv");
        let mut upload = store.put_multipart(&key.into()).await.unwrap();
        upload.put_part(content(PART).into()).await.unwrap();
    }
    let knows_uploads = !world.bucket().uploads().await.unwrap().is_empty();
    let asked = AtomicUsize::new(0);
    let live = async {
        asked.fetch_add(1, Ordering::SeqCst);
        Ok(|task: &TaskId, epoch| task.as_str() == "alive" && epoch == 1)
    };
    let given_up = world.files.give_up_uploads(live).await.unwrap();
    assert_eq!((given_up, asked.into_inner()), if knows_uploads { (1, 1) } else { (0, 0) });
    let left = world.files.give_up_uploads(async { Ok(none) }).await.unwrap();
    assert_eq!(left, usize::from(knows_uploads));
    assert_eq!(world.bucket().uploads().await.unwrap(), []);
}

/// An address that works without a credential, and not for another file.
async fn signed(world: &World) {
    let minute = Duration::from_secs(60);
    let address =
        FileOpener::signed_address(&world.files, "parts.1.report.csv", minute).await.unwrap().unwrap();
    let client = reqwest::Client::new();
    let answer = client.get(&address).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/csv");
    assert!(answer.bytes().await.unwrap() == content(2 * PART + 7));
    let other = address.replace("parts.1", "empty.1");
    assert_eq!(client.get(other).send().await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_kept_in_s3() {
    let Some(world) = World::of(ObjectStoreServer::moto) else { return };
    contract(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_kept_in_another_s3() {
    let Some(world) = World::of(ObjectStoreServer::second_s3) else { return };
    contract(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_kept_in_azure() {
    let Some(world) = World::of(ObjectStoreServer::azurite) else { return };
    contract(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_kept_at_google() {
    let Some(world) = World::of(ObjectStoreServer::google) else { return };
    contract(&world).await;
}

/// The answer comes over TLS from a server that only the authority of the property vouches for.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_trusted_by_the_authority_of_a_property() {
    let Some(world) = World::of(ObjectStoreServer::moto_with_tls) else { return };
    assert_eq!(world.read("none.1.report.csv", None).await.unwrap(), None);
}

/// The time and the memory of a large file, beside a folder: `--ignored --nocapture`. The store is another process.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn a_large_file_is_measured() {
    const BYTES: u64 = 1 << 30;
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
    };
    let write = |file: &mut PendingFile| {
        let (piece, mut hash) = (content(1 << 20), Sha256::new());
        for _ in 0..BYTES >> 20 {
            file.write_all(&piece).unwrap();
            hash.update(&piece);
        }
        hex(hash.finalize())
    };
    let dir = tempfile::tempdir().unwrap();
    let files = ResultFiles::open(dir.path()).unwrap();
    let mut file = files.create(&TaskId::new("large"), 1, "report.csv").unwrap();
    let begun = std::time::Instant::now();
    write(&mut file);
    let written = begun.elapsed();
    file.publish().unwrap();
    println!(
        "folder: written in {written:?}, with sync and rename {:?}, peak {} MiB",
        begun.elapsed(),
        peak()
    );
    for (name, start) in [
        ("moto", ObjectStoreServer::moto as fn(&Path) -> Option<ObjectStoreServer>),
        ("s3s-fs", ObjectStoreServer::second_s3),
    ] {
        let Some(mut world) = World::of(start) else { continue };
        let place = BucketPlace::read(&world.server.place("large"), world.server.properties()).unwrap();
        let drafts = world.dir.path().join("drafts");
        world.files =
            ResultFiles::in_bucket(world.dir.path().join("results"), drafts, &place, "a mark".into())
                .unwrap();
        let (mut file, record) = world.written("large", b"");
        let begun = std::time::Instant::now();
        let sha256 = write(&mut file);
        let written = begun.elapsed();
        let record = PublishedFile { bytes: BYTES, sha256, ..record };
        world.publish(file, &record, pending()).await.unwrap();
        println!("{name}: written in {written:?}, with sending {:?}, peak {} MiB", begun.elapsed(), peak());
        let begun = std::time::Instant::now();
        let files = world.files.clone();
        tokio::task::spawn_blocking(move || files.check_published(&record)).await.unwrap().unwrap();
        println!("{name}: read in {:?}, peak {} MiB", begun.elapsed(), peak());
    }
}

/// Object lock: S3 takes a removal without a version, and keeps the file.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_a_bucket_holds_is_not_removed_in_silence() {
    let Some(world) = World::of(ObjectStoreServer::moto) else { return };
    let ask = |method: &str, path: &str, headers: &[&str], body: &str| {
        let answer = world.server.ask(method, path, headers, body.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    };
    ask("PUT", "/locked", &["x-amz-bucket-object-lock-enabled: true"], "");
    let place = BucketPlace::read("s3://locked/results", world.server.properties()).unwrap();
    let (results, drafts) = (world.dir.path().join("results"), world.dir.path().join("drafts"));
    let files = ResultFiles::in_bucket(results, drafts, &place, "a mark".into()).unwrap();

    // Two results that are due, one of which is held.
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::default()));
    let mut names = Vec::new();
    for number in [1, 2] {
        let now = clock.now();
        store.start(build::new_task(number, now)).await.unwrap();
        let claim = store.claim(&WorkerId::new("w"), now, Duration::from_secs(30)).await.unwrap().unwrap();
        let result = build::task_result(&claim.task.id, claim.lease.epoch, 1);
        let name = result.files[0].stored_name.clone();
        ask("PUT", &format!("/locked/results/{name}"), &[], "id");
        names.push(name);
        let end = AttemptEnd::Done { result, messages: Vec::new() };
        assert!(store.end_attempt(&claim.lease, end, now).await.unwrap());
    }
    let hold = |status: &str| {
        let path = format!("/locked/results/{}?legal-hold", names[0]);
        ask("PUT", &path, &[], &format!("<LegalHold><Status>{status}</Status></LegalHold>"));
    };
    hold("ON");
    let expiry = ResultExpiry {
        retention: store.clone(),
        files,
        clock: clock.clone(),
        tenant: build::tenant(),
        policy: ResultPolicy { keep_days: Some(30), keep_last: 0 },
        audit: store.clone(),
        events: Arc::new({
            let clock = clock.clone();
            move |operation, _: &str, details| AuditEvent {
                details,
                ..acts::event(operation, &build::tenant(), clock.now())
            }
        }),
        kept: std::sync::Mutex::default(),
    };
    clock.advance(chrono::TimeDelta::days(30));
    for _ in 0..2 {
        let refused = expiry.run().await.unwrap_err();
        assert_eq!(refused.category, muster_reports::Category::Broken);
        assert!(refused.message.starts_with("the files of 1 expired results are not removed: "), "{refused}");
        assert!(refused.message.contains("s3://locked/results/") && refused.message.contains("object lock"));
        assert!(!format!("{refused:?}").contains(SECRET));
        let told = store.recorded(AuditOperation::ResultNotRemoved);
        assert_eq!(told.len(), 1, "once while a process lives");
        assert!(told[0].details.contains(&names[0]), "{}", told[0].details);
        let there = world.server.ask("GET", "/locked?list-type=2", &[], b"");
        assert!(there.contains(&names[0]) && !there.contains(&names[1]), "{there}");
    }
    hold("OFF");
    let expired = expiry.run().await.unwrap();
    assert_eq!((expired.results, expired.files), (0, 1));
    // Of all versions, nothing is left.
    let versions = world.server.ask("GET", "/locked?versions", &[], b"");
    assert!(!versions.contains(&names[0]) && !versions.contains(&names[1]), "{versions}");
}
