//! A result file while it is written, and how files get their names: together, in the folder or in the bucket.

use super::in_bucket::ResultBucket;
use super::wrong;
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::task::PublishedFile;
use std::fs::File;
use std::future::Future;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// A file being written. It is gone when dropped before [`PendingFile::publish`].
#[derive(Debug)]
pub struct PendingFile {
    pub(super) dir: PathBuf,
    /// Where it is sent when it is complete.
    pub(super) bucket: Option<ResultBucket>,
    pub(super) stored_name: String,
    pub(super) path: PathBuf,
    /// `None` once it is published or given up.
    pub(super) file: Option<BufWriter<File>>,
    /// Whether all that was written is on the disk.
    pub(super) is_synced: bool,
}

impl PendingFile {
    /// Gives this file alone its name, in its folder.
    #[cfg(test)]
    pub(crate) fn publish(self) -> Result<String> {
        let stored_name = self.stored_name.clone();
        name_together(vec![self])?;
        Ok(stored_name)
    }

    /// What the file will be called.
    pub fn stored_name(&self) -> &str {
        &self.stored_name
    }

    fn target(&self) -> PathBuf {
        self.dir.join(&self.stored_name)
    }

    /// Waits until all that was written is on the disk. Publishing does it, too; a file that is complete before others can
    /// be synced while they are still written.
    ///
    /// # Errors
    /// `Internal` with the path.
    pub fn sync(&mut self) -> Result<()> {
        if self.is_synced {
            return Ok(());
        }
        let mut sync = || {
            let writer = self.file.as_mut().expect("only publishing and dropping take the file");
            writer.flush()?;
            reached(Failpoint::ResultWritten);
            match self.bucket {
                None => writer.get_ref().sync_all(),
                // It is sent, and the bucket keeps it.
                Some(_) => Ok(()),
            }
        };
        let synced = sync();
        synced.map_err(|error| wrong("publish", &self.target(), error))?;
        self.is_synced = true;
        reached(Failpoint::ResultSynced);
        Ok(())
    }

    fn rename(&self) -> Result<()> {
        let target = self.target();
        std::fs::rename(&self.path, &target).map_err(|error| wrong("publish", &target, error))?;
        reached(Failpoint::ResultRenamed);
        Ok(())
    }
}

/// Gives files their stored names: in the folder, or in the bucket. They are results only once a record that names them is
/// committed. `records` has what is to be recorded of each, in the same order. Sending files to a bucket ends when they are not
/// wanted any more, which `stopped` waits for.
///
/// # Errors
/// When that fails; all the files are gone then.
pub(crate) fn publish_together(
    files: Vec<PendingFile>,
    records: &[PublishedFile],
    stopped: impl Future<Output = ()> + Send,
) -> Result<()> {
    match files.first().and_then(|file| file.bucket.clone()) {
        None => name_together(files),
        Some(bucket) => bucket.bucket().wait(send_together(&bucket, files, records, stopped)),
    }
}

/// Sends files one after another.
async fn send_together(
    bucket: &ResultBucket,
    mut files: Vec<PendingFile>,
    records: &[PublishedFile],
    stopped: impl Future<Output = ()> + Send,
) -> Result<()> {
    let mut stopped = std::pin::pin!(stopped);
    for (index, (file, record)) in files.iter_mut().zip(records).enumerate() {
        let sent = match file.sync() {
            Ok(()) => bucket.publish(&file.path, record, &mut stopped).await,
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            for record in &records[..=index] {
                bucket.remove_in_time(&record.stored_name).await;
            }
            return Err(error);
        }
    }
    // The drafts are removed as the files are dropped.
    for _ in &files {
        reached(Failpoint::ResultNamed);
    }
    Ok(())
}

/// Syncs the files of one folder side by side, gives them their stored names, and syncs the folder once.
///
/// # Errors
/// `Internal` with the path; all the files are gone then.
fn name_together(mut files: Vec<PendingFile>) -> Result<()> {
    // A disk syncs several files in about the time of one.
    let synced = std::thread::scope(|scope| {
        let mut each = files.iter_mut();
        let first = each.next();
        let others: Vec<_> = each.map(|file| scope.spawn(move || file.sync())).collect();
        let mut synced = first.map_or(Ok(()), PendingFile::sync);
        for other in others {
            let stopped =
                |_| Err(Error::internal("a result file could not be synced", "its thread panicked"));
            synced = synced.and(other.join().unwrap_or_else(stopped));
        }
        synced
    });
    synced?;
    let named = files.iter().try_for_each(PendingFile::rename).and_then(|()| match files.first() {
        Some(PendingFile { dir, .. }) => File::open(dir)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| wrong("sync the folder of", dir, error)),
        None => Ok(()),
    });
    if let Err(error) = named {
        for file in &files {
            // It may have its new name already; dropping removes the old one.
            let _ = std::fs::remove_file(file.target());
        }
        return Err(error);
    }
    for file in &mut files {
        file.file = None;
        reached(Failpoint::ResultNamed);
    }
    Ok(())
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.is_synced = false;
        self.file.as_mut().expect("only publishing and dropping take the file").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.as_mut().expect("only publishing and dropping take the file").flush()
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if let Some(writer) = self.file.take() {
            // Without writing what is still buffered.
            let _ = writer.into_parts();
            // A file that cannot be removed now is swept later.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
