//! Downloads that go on where they broke off and are checked when they end.

use crate::error::Error;
use crate::transport::Transport;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use muster_wire::FileFormat;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, RANGE};
use reqwest::{Response, StatusCode, Url};
use sha2::{Digest, Sha256};
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

/// How far a download is.
struct Progress {
    bytes: u64,
    hash: Option<Sha256>,
    etag: Option<String>,
}

/// What is downloaded: an address and its query.
pub(crate) struct Source {
    pub(crate) url: Url,
    pub(crate) query: Vec<(&'static str, String)>,
}

impl Source {
    /// A file of a report.
    pub(crate) fn report(
        transport: &Transport,
        id: &str,
        format: &FileFormat,
        options: &DownloadOptions,
    ) -> Self {
        let mut query = vec![("fileFormat", format.as_str().to_ascii_lowercase())];
        query.extend(options.query());
        Self { url: transport.url(&[id]), query }
    }

    /// A file of a report in a format that the published operation may not know.
    pub(crate) fn file(transport: &Transport, id: &str, format: &str, options: &DownloadOptions) -> Self {
        let url = transport.extension_url(&[id, "files", &format.to_ascii_lowercase()]);
        Self { url, query: options.query() }
    }

    /// What differs between two reports: made for each answer, as evidence packages are.
    pub(crate) fn comparison(transport: &Transport, old: &str, new: &str, keys: &[String]) -> Self {
        let query = keys.iter().map(|key| ("key", key.clone())).collect();
        Self { url: transport.extension_url(&[old, "compare", new]), query }
    }

    /// An evidence package: each answer is another one, so a broken transfer is not taken up again.
    pub(crate) fn evidence(transport: &Transport, id: &str) -> Self {
        Self { url: transport.extension_url(&[id, "evidence"]), query: Vec::new() }
    }
}

pub(crate) async fn download<W: AsyncWrite + Unpin>(
    transport: &Transport,
    source: &Source,
    resume: Option<&Resume>,
    into: &mut W,
) -> Result<Download, Error> {
    let mut progress = match resume {
        Some(resume) => Progress { bytes: resume.bytes, hash: None, etag: Some(resume.etag.clone()) },
        None => Progress { bytes: 0, hash: Some(Sha256::new()), etag: None },
    };
    let mut retries = 0;
    loop {
        let response = request(transport, source, &progress).await?;
        let headers = response.headers().clone();
        let total = total(&response)?;
        if progress.etag.is_none() {
            progress.etag = text(&headers, ETAG.as_str());
        }
        match receive(response, &mut progress, into).await {
            Ok(()) if total.is_none_or(|total| progress.bytes == total) => {
                into.flush().await.map_err(Error::Write)?;
                return finished(progress, &headers);
            }
            Ok(()) => {
                return Err(Error::Damaged(format!(
                    "it has {} bytes: expected {}",
                    progress.bytes,
                    total.unwrap_or_default()
                )));
            }
            // Without a tag nobody can tell whether the rest belongs to what is there.
            Err(Error::Transport(_)) if progress.etag.is_some() && retries < transport.wait.retries_max => {
                retries += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn request(transport: &Transport, source: &Source, progress: &Progress) -> Result<Response, Error> {
    let response = transport
        .send(|http| {
            let request = http.get(source.url.clone()).query(&source.query);
            match &progress.etag {
                Some(etag) if progress.bytes > 0 => {
                    request.header(RANGE, format!("bytes={}-", progress.bytes)).header(IF_RANGE, etag)
                }
                Some(_) | None => request,
            }
        })
        .await?;
    let partial = response.status() == StatusCode::PARTIAL_CONTENT;
    if progress.bytes > 0 && !partial {
        return Err(Error::Damaged("the file changed before the rest of it was fetched".into()));
    }
    if partial {
        let range = text(response.headers(), CONTENT_RANGE.as_str()).unwrap_or_default();
        if !range.starts_with(&format!("bytes {}-", progress.bytes)) {
            return Err(Error::Answer(format!(
                "the part is {range:?}: expected one from {}",
                progress.bytes
            )));
        }
    }
    Ok(response)
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

async fn receive<W: AsyncWrite + Unpin>(
    mut response: Response,
    progress: &mut Progress,
    into: &mut W,
) -> Result<(), Error> {
    while let Some(chunk) = response.chunk().await.map_err(Error::transport)? {
        into.write_all(&chunk).await.map_err(Error::Write)?;
        progress.bytes += chunk.len() as u64;
        if let Some(hash) = &mut progress.hash {
            hash.update(&chunk);
        }
    }
    Ok(())
}

fn finished(progress: Progress, headers: &HeaderMap) -> Result<Download, Error> {
    let announced = text(headers, "repr-digest").and_then(|digests| sha_256(&digests));
    let verified = match (progress.hash, announced) {
        (Some(hash), Some(announced)) => {
            if hash.finalize().as_slice() != announced {
                return Err(Error::Damaged("its SHA-256 is not the announced one".into()));
            }
            true
        }
        (_, None) | (None, _) => false,
    };
    Ok(Download {
        bytes: progress.bytes,
        file_name: text(headers, CONTENT_DISPOSITION.as_str()).and_then(|header| file_name(&header)),
        etag: progress.etag,
        verified,
    })
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
