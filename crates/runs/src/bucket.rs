//! Files in a bucket of an object store: S3 or a service with the same protocol, Azure Blob Storage, Google Cloud Storage.
//!
//! A file appears in a bucket as a whole or not at all, so there are no drafts and no renames: a large file is sent in parts,
//! and the request that makes a file of them is the last one.
//!
//! Invariants:
//! - a file appears only after all bytes that were sent have the digest that was expected;
//! - parts of a file that does not come to be are given up, so that nobody pays for them;
//! - memory holds a few parts, whatever the size of a file;
//! - no property is in a message: some are secrets.

mod opening;
mod place;
mod reading;
mod requests;
mod s3;
mod sending;

pub use place::{BucketKind, BucketPlace};
pub(crate) use sending::{Wanted, Watched};

use futures_util::TryStreamExt;
use muster_reports::error::{Category, Error, Result};
use object_store::path::Path as Key;
use object_store::signer::Signer;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use reading::Incoming;
use s3::UnfinishedUploads;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// How a file is written where there is one of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// In its place.
    Again,
    /// Not at all, where the store can refuse it.
    Once,
}

/// An upload in parts that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfinished {
    /// The name that the file would have.
    pub(crate) name: String,
    /// What the store calls it.
    upload: String,
}

/// An opened bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    place: BucketPlace,
    store: Arc<dyn ObjectStore>,
    signer: Arc<dyn Signer>,
    /// What the protocol of S3 has beyond files; Google has a part of it.
    uploads: Option<Arc<UnfinishedUploads>>,
    naming: Naming,
    /// Whether the request that makes a file of parts refuses to replace one.
    parts_once: bool,
    runtime: Handle,
}

impl Bucket {
    /// Opens a bucket. Nothing is asked of it yet.
    ///
    /// # Errors
    /// `Invalid` if the properties do not say how to reach it; `Internal` outside of a runtime.
    pub(crate) fn open(place: &BucketPlace, naming: Naming) -> Result<Self> {
        let runtime = Handle::try_current()
            .map_err(|error| Error::internal("a bucket is opened outside of a runtime", error))?;
        let opened = opening::open(place, naming)?;
        Ok(Self {
            place: place.clone(),
            store: opened.store,
            signer: opened.signer,
            uploads: opened.uploads.map(Arc::new),
            naming: opened.naming,
            parts_once: opened.parts_once,
            runtime,
        })
    }

    /// The place of a file, as people name it.
    pub(crate) fn shown(&self, name: &str) -> String {
        self.place.shown_file(name)
    }

    /// Waits for what is asked of the bucket. To be called where blocking is allowed.
    pub(crate) fn wait<T>(&self, asked: impl Future<Output = T>) -> T {
        self.runtime.block_on(asked)
    }

    /// Does something without anybody waiting for it.
    pub(crate) fn begin(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }

    fn key(&self, name: &str) -> Key {
        match (self.place.prefix.as_str(), name) {
            ("", name) => Key::from(name),
            (prefix, "") => Key::from(prefix),
            (prefix, name) => Key::from(format!("{prefix}/{name}")),
        }
    }

    fn wrong(&self, act: &str, name: &str) -> impl Fn(object_store::Error) -> Error + use<> {
        let message = format!("cannot {act} {}", self.shown(name));
        move |error| {
            // Waiting does not help: somebody must give rights, or make the bucket.
            let is_for_somebody = matches!(
                error,
                object_store::Error::PermissionDenied { .. }
                    | object_store::Error::Unauthenticated { .. }
                    | object_store::Error::NotFound { .. }
            );
            let category = if is_for_somebody { Category::Broken } else { Category::Unavailable };
            Error { category, ..Error::internal(message.clone(), error) }
        }
    }

    async fn head(&self, name: &str) -> Result<Option<ObjectMeta>> {
        match self.store.head(&self.key(name)).await {
            Ok(found) => Ok(Some(found)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.wrong("look at", name)(error)),
        }
    }

    /// The size of a file; `None` where there is none.
    pub(crate) async fn size(&self, name: &str) -> Result<Option<u64>> {
        Ok(self.head(name).await?.map(|found| found.size))
    }

    /// Whether there is any file.
    pub(crate) async fn has_any(&self) -> Result<bool> {
        let prefix = (!self.place.prefix.is_empty()).then(|| self.key(""));
        let mut found = self.store.list(prefix.as_ref());
        Ok(found.try_next().await.map_err(self.wrong("list", ""))?.is_some())
    }

    /// The names of the files in a folder, and in the folders in it: the last part of each.
    pub(crate) async fn names(&self, folder: &str) -> Result<Vec<String>> {
        let found = self.list(folder).await?;
        Ok(found.into_iter().filter_map(|file| file.location.filename().map(str::to_owned)).collect())
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectMeta>> {
        let prefix = (!self.place.prefix.is_empty() || !folder.is_empty()).then(|| self.key(folder));
        self.store.list(prefix.as_ref()).try_collect().await.map_err(self.wrong("list", folder))
    }

    /// The names of the files of the place that are in no folder of it.
    pub(crate) async fn top_names(&self) -> Result<Vec<String>> {
        let prefix = (!self.place.prefix.is_empty()).then(|| self.key(""));
        let found = self.store.list_with_delimiter(prefix.as_ref()).await.map_err(self.wrong("list", ""))?;
        Ok(found.objects.into_iter().filter_map(|file| file.location.filename().map(str::to_owned)).collect())
    }

    /// Writes a small file.
    pub(crate) async fn put(&self, name: &str, content: &[u8]) -> Result<()> {
        let put = self.store.put(&self.key(name), content.to_vec().into()).await;
        put.map(drop).map_err(self.wrong("write", name))
    }

    /// Writes a small file where there is none of its name; `false` where there is one, and where the store cannot say.
    pub(crate) async fn put_once(&self, name: &str, content: &[u8]) -> Result<bool> {
        let options = PutOptions::from(match self.naming {
            Naming::Once => PutMode::Create,
            Naming::Again => PutMode::Overwrite,
        });
        if self.naming == Naming::Again && self.size(name).await?.is_some() {
            return Ok(false);
        }
        match self.store.put_opts(&self.key(name), content.to_vec().into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(false)
            }
            Err(error) => Err(self.wrong("write", name)(error)),
        }
    }

    /// The content of a small file; `None` where there is none.
    pub(crate) async fn small(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let read = async { self.store.get(&self.key(name)).await?.bytes().await };
        match read.await {
            Ok(content) => Ok(Some(content.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.wrong("read", name)(error)),
        }
    }

    /// The bytes `range` of a file, or all of them, to be read where blocking is allowed; with the size of the whole file.
    /// `None` where there is none.
    pub(crate) async fn read(
        &self,
        name: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<(u64, Incoming)>> {
        let Some(found) = self.head(name).await? else { return Ok(None) };
        let range = range.unwrap_or(0..found.size);
        if range.start > range.end || range.end > found.size {
            return Err(Error::internal(
                format!("cannot read {}", self.shown(name)),
                format!("it has {} bytes: expected at least {}", found.size, range.end),
            ));
        }
        let from = (self.store.clone(), self.runtime.clone());
        let file = (self.key(name), self.shown(name), found.e_tag);
        Ok(Some((found.size, Incoming::new(from, file, range))))
    }

    /// Removes a file; a missing file is not an error. Where the bucket keeps versions, the version that is there is removed.
    ///
    /// # Errors
    /// `Broken` if the bucket keeps the file, or nobody gave the right to remove it.
    pub(crate) async fn remove(&self, name: &str) -> Result<()> {
        // A version that was written over is the next to be found.
        for _ in 0..s3::VERSIONS_MAX {
            let Some(found) = self.head(name).await? else { return Ok(()) };
            let removed = match (&self.uploads, &found.version) {
                (Some(s3), Some(version)) => s3.remove_version(&self.key(name), version).await,
                (Some(_), None) | (None, _) => self.store.delete(&self.key(name)).await,
            };
            match removed {
                Ok(()) if found.version.is_none() => return Ok(()),
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.kept(name, error)),
            }
        }
        let shown = self.shown(name);
        Err(Error::broken(format!("{shown} has more than {} versions, and is still there", s3::VERSIONS_MAX)))
    }

    /// Why a file was not removed.
    fn kept(&self, name: &str, error: object_store::Error) -> Error {
        // Azure answers 409 where a policy keeps a file; the others 403, as for a missing right.
        let is_refused = matches!(
            error,
            object_store::Error::PermissionDenied { .. }
                | object_store::Error::AlreadyExists { .. }
                | object_store::Error::Unauthenticated { .. }
        );
        if !is_refused {
            return self.wrong("remove", name)(error);
        }
        let message = format!(
            "the bucket does not let {} be removed: it is held there (object lock, retention), or the right to remove it is \
             missing",
            self.shown(name)
        );
        Error { category: Category::Broken, ..Error::internal(message, error) }
    }

    /// The uploads in parts to this place that have not ended. A store that cannot say has none: it forgets them itself.
    pub(crate) async fn unfinished(&self) -> Result<Vec<Unfinished>> {
        let Some(uploads) = &self.uploads else { return Ok(Vec::new()) };
        let prefix = match self.place.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let found = uploads.list(&prefix).await.map_err(self.wrong("list the uploads to", ""))?;
        let named = found.into_iter().filter_map(|(key, upload)| {
            Some(Unfinished { name: key.strip_prefix(&prefix)?.to_owned(), upload })
        });
        Ok(named.collect())
    }

    /// Gives up an upload that has not ended. One that is gone is not an error.
    pub(crate) async fn give_up(&self, unfinished: &Unfinished) -> Result<()> {
        let Some(uploads) = &self.uploads else { return Ok(()) };
        match uploads.give_up(&self.key(&unfinished.name), &unfinished.upload).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.wrong("give up an upload of", &unfinished.name)(error)),
        }
    }

    /// An address at which whoever has it can read the file for some time.
    pub(crate) async fn signed_address(&self, name: &str, lifetime: Duration) -> Result<String> {
        let signed = self.signer.signed_url(reqwest::Method::GET, &self.key(name), lifetime).await;
        signed.map(String::from).map_err(self.wrong("sign an address of", name))
    }
}

/// The library's own store of a place.
#[cfg(test)]
pub(crate) fn store_of(place: &BucketPlace) -> Result<Arc<dyn ObjectStore>> {
    opening::open(place, Naming::Again).map(|opened| opened.store)
}
