//! Evidence packages of this service: what goes into one and where it comes from.
//!
//! Why here: it joins result files, snapshots and the audit trail with the renderer of packages and with a
//! time-stamping authority, none of which knows the others.
//!
//! Invariants:
//! - a package contains a file only with the digest of its record, under the name that the cover gives it;
//! - nothing that a task's data scope hides is in its package;
//! - its audit events are as they were recorded, up to the trail's sealed head;
//! - a package is written to a file without a name, which is gone with its last reader;
//! - only [`AT_A_TIME`] packages are made at a time, and they take no more room than [`Copies`] has;
//! - a request for a package that was made in the last [`SHARED_FOR`] and is still being sent gets the same one.

mod archive;
mod authority;
mod background;

pub use authority::Authority;

use crate::copies::{Copies, Room, unnamed_file};
use crate::result_files::ResultFiles;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use muster_engine::Engine;
use muster_render::RenderError;
use muster_render::evidence::{
    ARGUMENTS, AUDIT_EVENTS, BagInfo, COVER, EARLIER_SNAPSHOTS, EvidenceWriter, QUERY, SNAPSHOT, SOURCES,
    SealedEvidence, SigningKey, TimeStampDue, audit_line,
};
use muster_reports::cover::Cover;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{ClientId, SnapshotId, TaskId};
use muster_reports::made::{EvidenceMaker, MadeFile};
use muster_reports::ports::{AuditTrail, Clock, Ids, SnapshotCatalogue};
use muster_reports::retention::AsOf;
use muster_reports::task::{PublishedFile, Task};
use muster_reports::{DataScope, SnapshotManifest};
use serde::Serialize;
use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Packages that are made at a time.
const AT_A_TIME: usize = 2;
/// How old a package may be if another request gets it, too.
const SHARED_FOR: TimeDelta = TimeDelta::minutes(1);
/// Room for what a package has in addition to its files and texts.
const OVERHEAD_BYTES: u64 = 1 << 20;
/// Events that are read at once.
const EVENTS_PAGE: u32 = 1_000;
/// Most bytes of a task's audit events.
const EVENTS_BYTES_MAX: usize = 128 << 20;

/// What packages are made from.
pub struct PackageParts {
    /// The results.
    pub files: ResultFiles,
    /// What is known of snapshots.
    pub snapshots: Arc<dyn SnapshotCatalogue>,
    /// What reads their tables.
    pub engine: Arc<Engine>,
    /// The audit trail.
    pub audit: Arc<dyn AuditTrail>,
    /// What stamps packages, where there is one.
    pub authority: Option<Authority>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Names and nonces.
    pub ids: Arc<dyn Ids>,
    /// Where packages are written; it must exist.
    pub work_dir: PathBuf,
    /// The room that they take.
    pub copies: Arc<Copies>,
}

/// Makes evidence packages.
pub struct Packages {
    parts: PackageParts,
    key: Arc<SigningKey>,
    places: Arc<Semaphore>,
    /// Packages that are being made or sent.
    shared: Mutex<HashMap<TaskId, Arc<Shared>>>,
}

/// The package of one task, for the requests that want it now. The lock is held while the package is made.
type Shared = tokio::sync::Mutex<Weak<Package>>;

/// A package as it is sent to whoever asked for it.
#[derive(Debug)]
struct Package {
    file: Arc<File>,
    bytes: u64,
    sha256: String,
    made: DateTime<Utc>,
    #[expect(dead_code, reason = "it is held as long as the file")]
    room: Room,
}

impl Packages {
    /// Packages of these parts, signed with `key`.
    pub fn new(parts: PackageParts, key: SigningKey) -> Self {
        let (key, places) = (Arc::new(key), Arc::new(Semaphore::new(AT_A_TIME)));
        Self { parts, key, places, shared: Mutex::default() }
    }

    /// Where the package of a task is, or will be.
    fn shared(&self, task: &TaskId) -> Arc<Shared> {
        // A panic cannot leave the table half changed.
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        // Removes packages that nobody makes or sends any more.
        shared.retain(|_, one| {
            Arc::strong_count(one) > 1 || one.try_lock().is_ok_and(|copy| copy.strong_count() > 0)
        });
        Arc::clone(shared.entry(task.clone()).or_default())
    }

    async fn make(&self, client: &ClientId, task: &Task) -> Result<Package> {
        let gathering = self.places.clone().acquire_owned().await.map_err(unmade)?;
        let contents = self.contents(task).await?;
        // A request that waits for room does not delay others.
        drop(gathering);
        let room = self.parts.copies.room(client, contents.bytes()).await?;
        let place = self.places.clone().acquire_owned().await.map_err(unmade)?;
        let PackageParts { files, work_dir, ids, .. } = &self.parts;
        let (files, work_dir, ids) = (files.clone(), work_dir.clone(), ids.clone());
        let key = self.key.clone();
        // The room is taken while something is written, even if nobody waits for it any more.
        let sealed = move || {
            let file = unnamed_file(&work_dir, &*ids).map_err(unmade)?;
            Ok((seal(&contents, &files, file, &key, place)?, room))
        };
        let (sealed, room) = blocking(sealed).await?;
        let time_stamp = match &self.parts.authority {
            Some(authority) => {
                authority.stamp(&sealed.bag.tag_manifest_sha256(), nonce(&*self.parts.ids)?).await?
            }
            None => None,
        };
        let made = self.parts.clock.now();
        blocking(move || sealed.finish(time_stamp.as_deref(), made, room)).await
    }
}

#[async_trait]
impl EvidenceMaker for Packages {
    async fn package(&self, client: &ClientId, task: &Task) -> Result<MadeFile> {
        let shared = self.shared(&task.id);
        let mut shared = shared.lock().await;
        let recent = |copy: &Arc<Package>| self.parts.clock.now() - copy.made < SHARED_FOR;
        let copy = match shared.upgrade().filter(recent) {
            Some(copy) => copy,
            None => Arc::new(Box::pin(self.make(client, task)).await?),
        };
        *shared = Arc::downgrade(&copy);
        let (file, bytes, sha256) = (Arc::clone(&copy.file), copy.bytes, copy.sha256.clone());
        Ok(MadeFile { file, bytes, sha256, held: Some(copy) })
    }

    async fn archive(&self, client: &ClientId, file: &PublishedFile, name: &str) -> Result<MadeFile> {
        self.archive_of(client, file, name).await
    }

    fn public_key_pem(&self) -> String {
        self.key.public().to_pem()
    }
}

/// A number that nobody can guess. It shows that an answer belongs to this request.
fn nonce(ids: &dyn Ids) -> Result<u64> {
    let id = ids.fresh();
    id.get(..16)
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| unmade(format!("{id:?} is not a fresh id: expected 32 hex digits")))
}

/// What goes into a package.
struct Contents {
    folder: String,
    info: BagInfo,
    files: Vec<NamedFile>,
    texts: Vec<(&'static str, Vec<u8>)>,
}

impl Contents {
    /// At least as many bytes as the package will have.
    fn bytes(&self) -> u64 {
        let files: u64 = self.files.iter().map(|file| file.published.bytes).sum();
        let texts: usize = self.texts.iter().map(|(_, text)| text.len()).sum();
        files + texts as u64 + OVERHEAD_BYTES
    }
}

/// A published file, and what the cover calls it.
struct NamedFile {
    name: String,
    published: PublishedFile,
}

impl Packages {
    async fn contents(&self, task: &Task) -> Result<Contents> {
        let result = task.result.as_ref().ok_or_else(|| unmade("the task has no result"))?;
        let cover: Cover = serde_json::from_str(&result.cover)
            .map_err(|error| Error::internal("the cover of a result cannot be read", error))?;
        let as_of = AsOf::Snapshot(task.snapshot.clone());
        let snapshot =
            self.parts.snapshots.as_of(&task.tenant, &as_of).await?.ok_or_else(|| {
                Error::not_found(format!("snapshot {} is not there any more", task.snapshot))
            })?;
        let scope = &task.requester.data_scope;
        let files = result.files.iter().map(|file| named(&cover, file)).collect::<Result<_>>()?;
        let mut texts = vec![
            (COVER, result.cover.clone().into_bytes()),
            (QUERY, line(&cover.effective_query)),
            (ARGUMENTS, line(&task.arguments.canonical())),
            (SNAPSHOT, json(&visible(&snapshot.manifest, scope))?),
            (SOURCES, json(&cover.snapshot.sources)?),
            (AUDIT_EVENTS, self.events(task).await?),
        ];
        if !cover.earlier.is_empty() {
            let earlier = self.earlier(task, &cover).await?;
            texts.push((EARLIER_SNAPSHOTS, json(&earlier)?));
        }
        texts.extend(background::texts(&self.parts.engine, &snapshot, scope, &cover).await?);
        let info = BagInfo {
            organisation: task.tenant.to_string(),
            task: task.id.to_string(),
            description: task.name.clone(),
            bagging_date: self.parts.clock.now().format("%Y-%m-%d").to_string(),
            software: concat!("muster ", env!("CARGO_PKG_VERSION")).into(),
            time_stamp: self.parts.authority.as_ref().map_or(TimeStampDue::None, Authority::due),
        };
        Ok(Contents { folder: format!("evidence-{}", task.id), info, files, texts })
    }

    /// The manifests of the snapshots with which the reported one was compared, as the task's data scope shows them. They are
    /// kept for ever, also of those whose data is gone.
    async fn earlier(&self, task: &Task, cover: &Cover) -> Result<Vec<SnapshotManifest>> {
        let mut manifests = Vec::with_capacity(cover.earlier.len());
        for one in &cover.earlier {
            let as_of = AsOf::Snapshot(SnapshotId::new(one.id.as_str()));
            let found = self.parts.snapshots.as_of(&task.tenant, &as_of).await?;
            let found = found
                .ok_or_else(|| Error::not_found(format!("snapshot {} is not there any more", one.id)))?;
            manifests.push(visible(&found.manifest, &task.requester.data_scope));
        }
        Ok(manifests)
    }

    /// The task's audit events, a line each, checked against the chain.
    async fn events(&self, task: &Task) -> Result<Vec<u8>> {
        let (mut text, mut after) = (String::new(), 0);
        let mut first = None;
        loop {
            let page = self.parts.audit.records_of(&task.tenant, &task.id, after, EVENTS_PAGE).await?;
            for record in &page {
                first.get_or_insert(record.sequence);
                if record.content_hash() != record.hash {
                    return Err(Error::broken(format!(
                        "event {} of the audit trail was changed: no evidence can be made of it; `muster audit verify` \
                         lists what is wrong",
                        record.sequence
                    )));
                }
                text.push_str(&audit_line(record));
            }
            let Some(last) = page.last() else {
                let first = first.ok_or_else(|| {
                    Error::broken(format!(
                        "the audit trail has no event of report {}: no evidence can be made of it; `muster audit verify` \
                         lists what is wrong",
                        task.id
                    ))
                })?;
                self.parts.audit.holds_from(&task.tenant, first).await?;
                return Ok(text.into_bytes());
            };
            if text.len() > EVENTS_BYTES_MAX {
                return Err(Error::invalid(format!(
                    "report result {} has more than {EVENTS_BYTES_MAX} bytes of audit events: expected no more in an \
                     evidence package",
                    task.id
                )));
            }
            after = last.sequence;
        }
    }
}

/// A file under the name that the cover gives it.
fn named(cover: &Cover, published: &PublishedFile) -> Result<NamedFile> {
    let format = published.format.to_string();
    let described = cover.files.iter().find(|file| file.format == format && file.sha256 == published.sha256);
    match described {
        Some(described) => Ok(NamedFile { name: described.name.clone(), published: published.clone() }),
        None => Err(Error::internal(
            "the cover of a result does not name its files",
            format!("{}: expected its format and SHA-256 in the cover", published.stored_name),
        )),
    }
}

/// The part of a snapshot's manifest that a data scope shows. The requester must not see other sources, nor the sizes
/// of whole tables.
fn visible(manifest: &SnapshotManifest, scope: &DataScope) -> SnapshotManifest {
    let mut visible = manifest.clone();
    match scope {
        DataScope::Everything => {}
        DataScope::Sources(_) => {
            visible.sources.retain(|source| scope.has_source(source.id.as_str()));
            visible.rows.clear();
            visible.files.clear();
        }
    }
    visible
}

fn line(text: &str) -> Vec<u8> {
    format!("{}\n", text.trim_end_matches('\n')).into_bytes()
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let value = serde_json::to_value(value).map_err(unmade)?;
    Ok(muster_render::cover::to_json(&value))
}

/// A package without its time stamp.
struct Sealed {
    bag: SealedEvidence<File>,
    /// What the bag is written to.
    file: File,
    /// Given back when the package is complete or abandoned.
    place: OwnedSemaphorePermit,
}

/// Writes everything but the time stamp.
fn seal(
    contents: &Contents,
    files: &ResultFiles,
    file: File,
    key: &SigningKey,
    place: OwnedSemaphorePermit,
) -> Result<Sealed> {
    let mut bag =
        EvidenceWriter::new(file.try_clone().map_err(unmade)?, &contents.folder).map_err(refused)?;
    for NamedFile { name, published } in &contents.files {
        let mut file = files.open_published(&published.stored_name, None)?;
        bag.add_file(name, &mut file.content, Some(&published.sha256)).map_err(refused)?;
    }
    for (name, text) in &contents.texts {
        bag.add_file(name, &mut text.as_slice(), None).map_err(refused)?;
    }
    let bag = bag.seal(&contents.info, key).map_err(refused)?;
    Ok(Sealed { bag, file, place })
}

impl Sealed {
    fn finish(self, time_stamp: Option<&[u8]>, made: DateTime<Utc>, room: Room) -> Result<Package> {
        let Self { bag, file, place } = self;
        let written = bag.finish(time_stamp).map_err(refused)?;
        drop(place);
        Ok(Package { file: Arc::new(file), bytes: written.bytes, sha256: written.sha256, made, room })
    }
}

/// Runs blocking work outside the request runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(unmade)?
}

fn unmade(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("the evidence package could not be made", error)
}

/// A name that no archive can have is a fault of the definition, and its author is told.
fn refused(error: RenderError) -> Error {
    let is_name = matches!(error, RenderError::MemberName { .. });
    if is_name { Error::invalid(error.to_string()) } else { unmade(error) }
}

#[cfg(test)]
mod tests;
