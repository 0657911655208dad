//! Downloads that go on where they broke off and are checked when they end.

use crate::error::Error;
use crate::retry::Repeat;
use crate::transport::Transport;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use muster_wire::FileFormat;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, RANGE};
use reqwest::{Response, StatusCode, Url};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// What to ask of a download.
#[derive(Debug, Clone, Default)]
pub struct DownloadOptions {
    /// The file's name; the report's name when `None`.
    pub name: Option<String>,
    /// Whether the service records the download in its audit trail.
    pub auditable: bool,
    /// Where an earlier download stopped.
    pub resume: Option<Resume>,
}

impl DownloadOptions {
    fn query(&self) -> Vec<(&'static str, String)> {
        let name = self.name.clone().map(|name| ("name", name));
        name.into_iter().chain(self.auditable.then(|| ("auditable", "true".to_owned()))).collect()
    }
}

/// Where a download stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// Bytes that the caller has.
    pub bytes: u64,
    /// The entity tag of the file they belong to, as [`Download::etag`] has it.
    pub etag: String,
}

/// A finished download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// Size of the whole file in bytes, resumed bytes included.
    pub bytes: u64,
    /// The name that the service gives the file. Not checked: do not use it as a path.
    pub file_name: Option<String>,
    /// The file's entity tag, for a later [`Resume`].
    pub etag: Option<String>,
    /// Whether the file's digest was announced and found right. A resumed download has not all bytes
    /// to check.
    pub verified: bool,
}

/// What is downloaded: an address and its query.
pub(crate) struct Source {
    url: Url,
    query: Vec<(&'static str, String)>,
}

impl Source {
    /// A file of a report.
    pub(crate) fn report(
        transport: &Transport,
        id: &str,
        format: &FileFormat,
        options: &DownloadOptions,
    ) -> Result<Self, Error> {
        let mut query = vec![("fileFormat", format.as_str().to_ascii_lowercase())];
        query.extend(options.query());
        Ok(Self { url: transport.url("reports", &[id])?, query })
    }

    /// A file of a report in a format that the published operation may not know.
    pub(crate) fn file(
        transport: &Transport,
        id: &str,
        format: &str,
        options: &DownloadOptions,
    ) -> Result<Self, Error> {
        let url = transport.own_url(&["reports", id, "files", &format.to_ascii_lowercase()])?;
        Ok(Self { url, query: options.query() })
    }

    /// What differs between two reports: made for each answer, as evidence packages are.
    pub(crate) fn comparison(
        transport: &Transport,
        old: &str,
        new: &str,
        keys: &[String],
    ) -> Result<Self, Error> {
        let query = keys.iter().map(|key| ("key", key.clone())).collect();
        Ok(Self { url: transport.own_url(&["reports", old, "compare", new])?, query })
    }

    /// A file at an address.
    pub(crate) fn at(url: Url) -> Self {
        Self { url, query: Vec::new() }
    }

    /// An evidence package: each answer is another one, so a broken transfer is not taken up again.
    pub(crate) fn evidence(transport: &Transport, id: &str) -> Result<Self, Error> {
        Ok(Self { url: transport.own_url(&["reports", id, "evidence"])?, query: Vec::new() })
    }
}

/// A file that is being downloaded, in pieces.
///
/// A connection that breaks is taken up again where it broke, as often as requests are repeated. The file is whole and
/// right only when [`Self::chunk`] has answered `None`: before that, a digest or a size that is wrong is not known.
///
/// ```no_run
/// # async fn run(api: muster_client::ReportsDataExtractionApi) -> Result<(), muster_client::Error> {
/// use muster_client::{DownloadOptions, wire::FileFormat};
///
/// let id = "a248c16fe22222b2bd49615481311111";
/// let mut file = api.open_report(id, &FileFormat::Csv, &DownloadOptions::default()).await?;
/// while let Some(chunk) = file.chunk().await? {
///     println!("{} bytes more: {} of {:?}", chunk.len(), file.bytes(), file.bytes_expected());
/// }
/// assert!(file.download().is_some_and(|download| download.verified));
/// # Ok(())
/// # }
/// ```
pub struct FileStream {
    transport: Arc<Transport>,
    source: Source,
    response: Option<Response>,
    headers: HeaderMap,
    bytes: u64,
    total: Option<u64>,
    hash: Option<Sha256>,
    etag: Option<String>,
    retries: u32,
    ended: Option<Download>,
}

impl FileStream {
    /// Asks for the file, from where `resume` stopped.
    pub(crate) async fn open(
        transport: Arc<Transport>,
        source: Source,
        resume: Option<&Resume>,
    ) -> Result<Self, Error> {
        let mut stream = Self {
            transport,
            source,
            response: None,
            headers: HeaderMap::new(),
            bytes: resume.map_or(0, |resume| resume.bytes),
            total: None,
            hash: resume.is_none().then(Sha256::new),
            etag: resume.map(|resume| resume.etag.clone()),
            retries: 0,
            ended: None,
        };
        stream.connect().await?;
        Ok(stream)
    }

    /// The next bytes; `None` when the file is whole.
    ///
    /// # Errors
    /// [`Error::Transport`], [`Error::Refused`] when the rest is refused; [`Error::Damaged`] when the file changed
    /// meanwhile, is too short, or has another digest than announced.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let Some(response) = &mut self.response else {
                if self.ended.is_none() {
                    self.connect().await?;
                    continue;
                }
                return Ok(None);
            };
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    self.bytes += chunk.len() as u64;
                    if let Some(hash) = &mut self.hash {
                        hash.update(&chunk);
                    }
                    return Ok(Some(chunk));
                }
                Ok(None) => {
                    self.response = None;
                    self.ended = Some(self.finish()?);
                    return Ok(None);
                }
                // Without a tag nobody can tell whether the rest belongs to what is there.
                Err(_) if self.etag.is_some() && self.retries < self.transport.wait.retries_max => {
                    self.retries += 1;
                    self.response = None;
                }
                Err(error) => return Err(Error::transport(error)),
            }
        }
    }

    /// The file's bytes so far, resumed bytes included.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The size of the whole file, where the service says it.
    pub fn bytes_expected(&self) -> Option<u64> {
        self.total
    }

    /// The name that the service gives the file. Not checked: do not use it as a path.
    pub fn file_name(&self) -> Option<String> {
        text(&self.headers, CONTENT_DISPOSITION.as_str()).and_then(|header| file_name(&header))
    }

    /// What was downloaded, when the file is whole.
    pub fn download(&self) -> Option<&Download> {
        self.ended.as_ref()
    }

    /// The file as a stream of bytes. It ends without an error only if the file is whole.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
        stream::try_unfold(self, |mut file| async move { Ok(file.chunk().await?.map(|chunk| (chunk, file))) })
    }

    /// Writes the rest of the file into `into`.
    ///
    /// # Errors
    /// As [`Self::chunk`]; [`Error::Write`].
    pub async fn write_to<W: AsyncWrite + Unpin>(mut self, into: &mut W) -> Result<Download, Error> {
        while let Some(chunk) = self.chunk().await? {
            into.write_all(&chunk).await.map_err(Error::Write)?;
        }
        into.flush().await.map_err(Error::Write)?;
        match self.ended {
            Some(download) => Ok(download),
            None => Err(Error::Damaged("it has no end".into())),
        }
    }

    async fn connect(&mut self) -> Result<(), Error> {
        let response = self
            .transport
            .send(Repeat::Always, |http| {
                let request = http.get(self.source.url.clone()).query(&self.source.query);
                // A token goes nowhere else, so a redirect to another place is of no use.
                let request = request.header("prefer", "return=representation");
                match &self.etag {
                    Some(etag) if self.bytes > 0 => {
                        request.header(RANGE, format!("bytes={}-", self.bytes)).header(IF_RANGE, etag)
                    }
                    Some(_) | None => request,
                }
            })
            .await?;
        let partial = response.status() == StatusCode::PARTIAL_CONTENT;
        if self.bytes > 0 && !partial {
            return Err(Error::Damaged("the file changed before the rest of it was fetched".into()));
        }
        if partial {
            let range = text(response.headers(), CONTENT_RANGE.as_str()).unwrap_or_default();
            if !range.starts_with(&format!("bytes {}-", self.bytes)) {
                return Err(Error::Answer(format!(
                    "the part is {range:?}: expected one from {}",
                    self.bytes
                )));
            }
        }
        self.total = total(&response)?;
        self.headers = response.headers().clone();
        if self.etag.is_none() || self.bytes == 0 {
            self.etag = text(&self.headers, ETAG.as_str());
        }
        self.response = Some(response);
        Ok(())
    }

    fn finish(&mut self) -> Result<Download, Error> {
        if let Some(total) = self.total.filter(|total| *total != self.bytes) {
            return Err(Error::Damaged(format!("it has {} bytes: expected {total}", self.bytes)));
        }
        let announced = text(&self.headers, "repr-digest").and_then(|digests| sha_256(&digests));
        let verified = match (self.hash.take(), announced) {
            (Some(hash), Some(announced)) => {
                if hash.finalize().as_slice() != announced {
                    return Err(Error::Damaged("its SHA-256 is not the announced one".into()));
                }
                true
            }
            (_, None) | (None, _) => false,
        };
        let (bytes, etag) = (self.bytes, self.etag.clone());
        Ok(Download { bytes, file_name: self.file_name(), etag, verified })
    }
}

impl fmt::Debug for FileStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStream")
            .field("bytes", &self.bytes)
            .field("bytes_expected", &self.total)
            .finish_non_exhaustive()
    }
}

/// Size of the whole file, where the answer says it.
fn total(response: &Response) -> Result<Option<u64>, Error> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Ok(response.content_length());
    }
    let range = text(response.headers(), CONTENT_RANGE.as_str()).unwrap_or_default();
    match range.rsplit_once('/') {
        Some((_, "*")) => Ok(None),
        Some((_, total)) if total.bytes().all(|b| b.is_ascii_digit()) => Ok(total.parse().ok()),
        Some(_) | None => Err(Error::Answer(format!("the part is {range:?}: expected bytes A-B/TOTAL"))),
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The SHA-256 in a list of digests (RFC 9530).
fn sha_256(digests: &str) -> Option<Vec<u8>> {
    let digest = digests.split(',').find_map(|digest| digest.trim().strip_prefix("sha-256=:"))?;
    BASE64.decode(digest.strip_suffix(':')?).ok()
}

/// The quoted ASCII name.
fn file_name(disposition: &str) -> Option<String> {
    let (_, rest) = disposition.split_once("filename=\"")?;
    rest.split_once('"').map(|(name, _)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        assert_eq!(sha_256("sha-512=:AA==:, sha-256=:AQI=:"), Some(vec![1, 2]));
        assert_eq!(sha_256("md5=:AQI=:"), None);
        let disposition = "attachment;filename=\"a b.csv\"; filename*=UTF-8''a%20b.csv";
        assert_eq!(file_name(disposition), Some("a b.csv".into()));
        assert_eq!(file_name("attachment"), None);
    }
}
