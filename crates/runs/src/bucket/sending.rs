//! A file that is sent to a bucket.

use super::{Bucket, Naming};
use crate::digest::{Digesting, read_whole};
use muster_reports::error::{Error, Result};
use object_store::{
    Attribute, Attributes, MultipartUpload, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
};
use std::future::Future;
use std::io::Read;
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;

/// Parts of a file at most; S3 takes 10,000.
const PARTS_MAX: u64 = 9_000;
/// Parts that are on their way at the same time.
const PARTS_SENT: usize = 2;
/// How long giving up an upload may take. A sweep gives up what is left.
const GIVE_UP: Duration = Duration::from_secs(20);

/// A file to send.
pub(crate) struct Wanted<'a> {
    /// Its name in the bucket.
    pub(crate) name: &'a str,
    /// Where it is, for messages.
    pub(crate) from: &'a Path,
    /// The SHA-256 and the size that it must have.
    pub(crate) known: (&'a str, u64),
    /// What it is, and how a browser saves it, where that is of interest.
    pub(crate) attributes: Attributes,
}

impl Wanted<'_> {
    /// What whoever gets the file from the bucket is told of it.
    pub(crate) fn described(media_type: &str, disposition: &str) -> Attributes {
        [
            (Attribute::ContentType, media_type.to_owned()),
            (Attribute::ContentDisposition, disposition.to_owned()),
        ]
        .into_iter()
        .collect()
    }
}

/// What happens on the way.
pub(crate) struct Watched<'a, S> {
    /// Ends when the file is not wanted any more.
    pub(crate) stopped: S,
    /// The file is read to its end, with this digest and size: whether the store may make a file of what it got.
    pub(crate) read: &'a (dyn Fn((String, u64)) -> Result<()> + Sync),
    /// An upload in parts has begun.
    pub(crate) begun: &'a (dyn Fn() + Sync),
}

impl Bucket {
    /// Sends a file. It is in the bucket when this returns, with the digest that it must have.
    ///
    /// # Errors
    /// When the store fails, the file has another digest, or it is not wanted any more. Then what was sent is no file.
    pub(crate) async fn send<S: Future<Output = ()> + Send>(
        &self,
        wanted: &Wanted<'_>,
        source: impl Read + Send,
        watched: Watched<'_, S>,
    ) -> Result<()> {
        let Watched { stopped, read, begun } = watched;
        let source = Digesting::new(source, wanted.from);
        let mut multipart = match wanted.known.1 <= self.place.part {
            true => None,
            // Not given up half-way: the store's answer has the id by which it is given up.
            false => Some(self.begin_parts(wanted).await?),
        };
        let sent = {
            let sending = async {
                match &mut multipart {
                    None => self.send_at_once(wanted, source, read).await,
                    Some(upload) => {
                        begun();
                        self.send_parts(wanted, source, read, upload.as_mut()).await
                    }
                }
            };
            tokio::select! {
                sent = sending => sent,
                () = stopped => Err(Error::unavailable("the file is not wanted any more")),
            }
        };
        match sent {
            Ok(()) => self.check_is_there(wanted).await,
            Err(error) => {
                if let Some(mut upload) = multipart {
                    // What ended the upload says more than a failure of this.
                    let _ = tokio::time::timeout(GIVE_UP, upload.abort()).await;
                }
                Err(error)
            }
        }
    }

    async fn send_at_once(
        &self,
        wanted: &Wanted<'_>,
        mut source: Digesting<'_, impl Read>,
        read: &(dyn Fn((String, u64)) -> Result<()> + Sync),
    ) -> Result<()> {
        let content = source.part(self.place.part)?;
        read(source.end()?)?;
        let mode = match self.naming {
            Naming::Again => PutMode::Overwrite,
            Naming::Once => PutMode::Create,
        };
        let options = PutOptions { mode, attributes: wanted.attributes.clone(), ..PutOptions::default() };
        let put = self.store.put_opts(&self.key(wanted.name), PutPayload::from(content), options).await;
        self.settled(wanted, put.map(drop)).await
    }

    /// Begins to send a large file in parts.
    async fn begin_parts(&self, wanted: &Wanted<'_>) -> Result<Box<dyn MultipartUpload>> {
        if self.naming == Naming::Once && !self.parts_once && self.size(wanted.name).await?.is_some() {
            return Err(Error::unavailable(format!("{} is there already", self.shown(wanted.name))));
        }
        let options =
            PutMultipartOptions { attributes: wanted.attributes.clone(), ..PutMultipartOptions::default() };
        let begun = self.store.put_multipart_opts(&self.key(wanted.name), options).await;
        begun.map_err(self.wrong("write", wanted.name))
    }

    /// Sends a large file in parts.
    async fn send_parts(
        &self,
        wanted: &Wanted<'_>,
        mut source: Digesting<'_, impl Read>,
        read: &(dyn Fn((String, u64)) -> Result<()> + Sync),
        upload: &mut dyn MultipartUpload,
    ) -> Result<()> {
        let wrong = self.wrong("write", wanted.name);
        let size = self.place.part.max(wanted.known.1 / PARTS_MAX + 1);
        // Dropped with this future, and the parts that are on their way with it.
        let mut sending = JoinSet::new();
        loop {
            let part = source.part(size)?;
            if part.is_empty() {
                break;
            }
            while sending.len() >= PARTS_SENT {
                joined(sending.join_next().await, &wrong)?;
            }
            sending.spawn(upload.put_part(part.into()));
        }
        while !sending.is_empty() {
            joined(sending.join_next().await, &wrong)?;
        }
        read(source.end()?)?;
        let completed = upload.complete().await.map(drop);
        self.settled(wanted, completed).await
    }

    /// What has become of a file after the request that names it. If its answer was lost, the library has asked again, and was
    /// told that there is a file, or that there is no such upload.
    async fn settled(&self, wanted: &Wanted<'_>, named: object_store::Result<()>) -> Result<()> {
        let Err(error) = named else { return Ok(()) };
        if self.holds(wanted.name, wanted.known).await.unwrap_or(false) {
            return Ok(());
        }
        Err(self.wrong("write", wanted.name)(error))
    }

    /// Whether the bucket has a file with this digest and size. Reads it.
    async fn holds(&self, name: &str, (sha256, bytes): (&str, u64)) -> Result<bool> {
        let Some((size, incoming)) = self.read(name, None).await? else { return Ok(false) };
        if size != bytes {
            return Ok(false);
        }
        let shown = self.shown(name);
        let read = tokio::task::spawn_blocking(move || read_whole(incoming, Path::new(&shown), |_| Ok(())));
        let (found, size) =
            read.await.map_err(|error| Error::internal("a file could not be read", error))??;
        Ok((found.as_str(), size) == (sha256, bytes))
    }

    async fn check_is_there(&self, wanted: &Wanted<'_>) -> Result<()> {
        let found = self.size(wanted.name).await?;
        if found == Some(wanted.known.1) {
            return Ok(());
        }
        Err(Error::unavailable(format!(
            "{} was sent, and the bucket has {} of it: expected {} bytes",
            self.shown(wanted.name),
            found.map_or_else(|| "nothing".to_owned(), |bytes| format!("{bytes} bytes")),
            wanted.known.1
        )))
    }
}

fn joined(
    ended: Option<std::result::Result<object_store::Result<()>, tokio::task::JoinError>>,
    wrong: impl Fn(object_store::Error) -> Error,
) -> Result<()> {
    match ended {
        None => Ok(()),
        Some(Ok(sent)) => sent.map_err(wrong),
        Some(Err(error)) => Err(Error::internal("a part of a file could not be sent", error)),
    }
}
