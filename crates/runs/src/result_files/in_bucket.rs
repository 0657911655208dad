//! Result files in a bucket. A file is written in a folder of this machine, which is emptied at each start, and sent when it
//! is complete.
//!
//! ```text
//! installation           the mark of the installation whose results these are
//! TASK.EPOCH.NAME        the file of a result
//! trash/TASK.EPOCH.NAME  says since when no record names that file; it is removed some days after
//! ```

use super::attempt::Attempt;
use crate::bucket::{Bucket, BucketPlace, Naming, Unfinished, Wanted, Watched};
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::TaskId;
use muster_reports::task::PublishedFile;
use std::collections::HashSet;
use std::fs::File;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// The mark of the installation.
const MARK: &str = "installation";
/// The folder of files that a check writes and removes.
const CHECKS: &str = "checks";
/// The folder of the notes about files that no record names.
const TRASH: &str = "trash";
/// How long the bucket may take to show that it answers.
const ANSWER: Duration = Duration::from_secs(2);
/// How long the removal of a file that was not published may take. A sweep removes what is left.
const REMOVE: Duration = Duration::from_secs(20);

/// The bucket of result files.
#[derive(Debug, Clone)]
pub(super) struct ResultBucket {
    bucket: Bucket,
    /// Where files are written before they are sent.
    pub(super) drafts: PathBuf,
    /// The mark of this installation.
    mark: String,
    /// Whether the bucket has this mark.
    is_ours: Arc<OnceCell<()>>,
}

impl ResultBucket {
    pub(super) fn open(place: &BucketPlace, drafts: PathBuf, mark: String) -> Result<Self> {
        let bucket = Bucket::open(place, Naming::Once)?;
        Ok(Self { bucket, drafts, mark, is_ours: Arc::default() })
    }

    pub(super) fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Sees to it that the bucket has the results of this installation, before anything is changed there: what no record names
    /// is taken for left over.
    pub(super) async fn own(&self) -> Result<()> {
        let own = async {
            let mut found = self.bucket.small(MARK).await?;
            if found.is_none() {
                // Of two processes, the store takes the mark of one.
                self.bucket.put_once(MARK, self.mark.as_bytes()).await?;
                found = self.bucket.small(MARK).await?;
            }
            if found.unwrap_or_default().trim_ascii() == self.mark.as_bytes() {
                return Ok(());
            }
            let place = self.bucket.shown(MARK);
            Err(Error::broken(format!(
                "the results in the bucket belong to another installation: {place} is not its mark. Expected a folder of its own \
                 for each installation (results.location); if this database was restored for the results there, remove {place}"
            )))
        };
        self.is_ours.get_or_try_init(|| own).await.map(drop)
    }

    /// Sends a file that is complete. It is a result only once a record that names it is committed.
    pub(super) async fn publish(
        &self,
        draft: &Path,
        file: &PublishedFile,
        stopped: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        reached(Failpoint::ResultUploadDue);
        self.own().await?;
        let source = File::open(draft)
            .map_err(|error| Error::internal(format!("cannot open {}", draft.display()), error))?;
        let download = format!("attachment; filename=\"report.{}\"", file.extension);
        let wanted = Wanted {
            name: &file.stored_name,
            from: draft,
            known: (&file.sha256, file.bytes),
            attributes: Wanted::described(&file.media_type, &download),
        };
        let read = |(sha256, bytes): (String, u64)| {
            if (sha256.as_str(), bytes) == (file.sha256.as_str(), file.bytes) {
                return Ok(());
            }
            Err(Error::internal(
                "a result file was changed before it was sent",
                format!(
                    "{} has {bytes} bytes with the SHA-256 {sha256}: expected {} bytes with {}",
                    draft.display(),
                    file.bytes,
                    file.sha256
                ),
            ))
        };
        let watched = Watched { stopped, read: &read, begun: &|| reached(Failpoint::ResultUploadBegun) };
        self.bucket.send(&wanted, source, watched).await?;
        reached(Failpoint::ResultUploaded);
        Ok(())
    }

    /// Whether the bucket answers, which a small list shows.
    pub(super) async fn answers(&self) -> Result<()> {
        match tokio::time::timeout(ANSWER, self.bucket.names(CHECKS)).await {
            Ok(names) => names.map(drop),
            Err(_) => Err(Error::unavailable(format!(
                "the bucket of results, {}, does not answer within {} s",
                self.bucket.shown(""),
                ANSWER.as_secs()
            ))),
        }
    }

    /// Writes a small file, reads it, tries to write over it, and removes it.
    pub(super) async fn check(&self, id: &str) -> Result<BucketCheck> {
        self.own().await?;
        let name = format!("{CHECKS}/{id}");
        let wrong = |what: &str| Err(Error::broken(format!("{}: {what}", self.bucket.shown(&name))));
        if !self.bucket.put_once(&name, id.as_bytes()).await? {
            return wrong("it is there before it was written");
        }
        let again = self.bucket.put_once(&name, b"another").await;
        let read = self.bucket.small(&name).await;
        self.bucket.remove(&name).await?;
        let refuses_to_replace = !again?;
        let expected: &[u8] = if refuses_to_replace { id.as_bytes() } else { b"another" };
        if read?.as_deref() != Some(expected) {
            return wrong("what is read is not what was written");
        }
        if self.bucket.size(&name).await?.is_some() {
            return wrong("it is still there after it was removed");
        }
        Ok(BucketCheck { place: self.bucket.shown(""), refuses_to_replace })
    }

    /// Removes a file.
    pub(super) async fn remove(&self, stored_name: &str) -> Result<()> {
        self.own().await?;
        self.bucket.remove(stored_name).await
    }

    /// Removes a file that will not be published, without anybody waiting for it.
    pub(super) fn begin_to_remove(&self, stored_name: &str) {
        let (bucket, name) = (self.clone(), stored_name.to_owned());
        self.bucket.begin(async move { bucket.remove_in_time(&name).await });
    }

    /// Removes a file that will not be published, if that does not take long.
    pub(super) async fn remove_in_time(&self, stored_name: &str) {
        let removed = tokio::time::timeout(REMOVE, self.remove(stored_name)).await;
        let late = |_| Err(Error::unavailable("the bucket does not answer in time"));
        if let Err(error) = removed.unwrap_or_else(late) {
            tracing::warn!(%error, "an unpublished file is left for the next sweep");
        }
    }

    /// What is there now.
    pub(super) async fn list(&self) -> Result<Listed> {
        self.own().await?;
        let is_ours = |name: &String| Attempt::of(name).is_some_and(|attempt| !attempt.temporary);
        let mut names = self.bucket.top_names().await?;
        names.retain(is_ours);
        names.sort();
        let mut noted = self.bucket.names(TRASH).await?;
        noted.retain(is_ours);
        Ok(Listed { names, noted, uploads: self.uploads().await? })
    }

    /// The uploads of files of results that have not ended.
    pub(super) async fn uploads(&self) -> Result<Vec<Unfinished>> {
        let mut uploads = self.bucket.unfinished().await?;
        uploads.retain(|upload| Attempt::of(&upload.name).is_some());
        Ok(uploads)
    }

    /// Gives up uploads.
    pub(super) async fn give_up(&self, uploads: &[Unfinished]) -> Result<()> {
        self.own().await?;
        for upload in uploads {
            self.bucket.give_up(upload).await?;
            reached(Failpoint::FileSwept);
        }
        Ok(())
    }

    /// Notes of each file that no record names it, and removes those that were noted `days` ago. A note of another file goes.
    pub(super) async fn discard(&self, left: &LeftInBucket, now: DateTime<Utc>, days: u32) -> Result<()> {
        self.give_up(&left.uploads).await?;
        let due = now.checked_sub_signed(TimeDelta::days(i64::from(days))).unwrap_or_default();
        for name in &left.unnamed {
            let note = format!("{TRASH}/{name}");
            let since = match self.bucket.small(&note).await? {
                Some(text) => String::from_utf8_lossy(&text).trim().parse().unwrap_or(now),
                None => {
                    self.bucket.put(&note, now.to_rfc3339().as_bytes()).await?;
                    now
                }
            };
            if since <= due {
                self.bucket.remove(name).await?;
                self.bucket.remove(&note).await?;
            }
            reached(Failpoint::FileSwept);
        }
        for name in &left.noted {
            self.bucket.remove(&format!("{TRASH}/{name}")).await?;
        }
        Ok(())
    }

    /// Where the notes are, as people name it.
    pub(super) fn trash(&self) -> String {
        self.bucket.shown(TRASH)
    }
}

/// What a check of a bucket found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketCheck {
    /// The place, as people name it.
    pub place: String,
    /// Whether the store refuses to write over a file where it is asked to. If not, nothing but the names of files keeps one
    /// process from writing over the file of another.
    pub refuses_to_replace: bool,
}

/// What is in a bucket at one moment.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Files of results.
    pub(super) names: Vec<String>,
    /// Files of which it is noted that no record names them.
    pub(super) noted: Vec<String>,
    /// Uploads that have not ended.
    pub(super) uploads: Vec<Unfinished>,
}

/// What is left over in a bucket.
#[derive(Debug, Default)]
pub(super) struct LeftInBucket {
    /// Files that no record names.
    pub(super) unnamed: Vec<String>,
    /// Notes of files that are gone, or that a record names.
    pub(super) noted: Vec<String>,
    /// Uploads that nobody goes on with.
    pub(super) uploads: Vec<Unfinished>,
}

impl Listed {
    /// What no record names and no live attempt writes.
    pub(super) fn left_over(
        self,
        named: &HashSet<String>,
        live: &impl Fn(&TaskId, u64) -> bool,
    ) -> LeftInBucket {
        let is_live =
            |name: &str| Attempt::of(name).is_some_and(|attempt| live(&attempt.task, attempt.epoch));
        let Self { names, noted, uploads } = self;
        let unnamed: Vec<String> =
            names.into_iter().filter(|name| !named.contains(name) && !is_live(name)).collect();
        let noted = noted.into_iter().filter(|name| unnamed.binary_search(name).is_err()).collect();
        let uploads = uploads.into_iter().filter(|upload| !is_live(&upload.name)).collect();
        LeftInBucket { unnamed, noted, uploads }
    }
}
