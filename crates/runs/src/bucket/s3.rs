//! What the protocol of S3 has and object_store does not offer: uploads that have not ended, and versions of files.
//!
//! Google's service knows the requests about uploads, too.

use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody};
use object_store::gcp::GcpCredentialProvider;
use object_store::path::Path as Key;
use object_store::signer::Signer;
use object_store::{Error, Result};
use quick_xml::Reader;
use quick_xml::events::Event;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use std::sync::Arc;
use std::time::Duration;

/// Versions of one file that are removed at most.
pub(super) const VERSIONS_MAX: usize = 100;
/// Pages of 1,000 uploads that are read at most; a later sweep finds the others.
const PAGES_MAX: usize = 100;
/// Characters of an answer that an error has.
const SHOWN_MAX: usize = 500;
/// What errors call the store.
const STORE: &str = "S3";

/// Who may do this.
#[derive(Debug, Clone)]
pub(super) enum Authority {
    /// A credential of S3, by which a request is signed.
    S3 { credentials: AwsCredentialProvider, region: String },
    /// A token of Google.
    Google(GcpCredentialProvider),
    /// Nobody is asked for.
    Nobody,
}

/// Requests of one bucket.
#[derive(Debug)]
pub(super) struct UnfinishedUploads {
    pub(super) client: HttpClient,
    pub(super) authority: Authority,
    /// Knows where the bucket is, unless `base` does.
    pub(super) signer: Arc<dyn Signer>,
    /// The address of the bucket, without a slash at its end.
    pub(super) base: Option<String>,
}

impl UnfinishedUploads {
    /// The keys and ids of the uploads whose keys begin with `prefix`.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        let (mut found, mut after) = (Vec::new(), None::<(String, String)>);
        for _ in 0..PAGES_MAX {
            let mut url = self.address(&Key::default()).await?;
            {
                let mut query = url.query_pairs_mut();
                query.append_pair("uploads", "").append_pair("prefix", prefix);
                if let Some((key, upload)) = &after {
                    query.append_pair("key-marker", key).append_pair("upload-id-marker", upload);
                }
            }
            let page = Page::read(&self.ask(Method::GET, &url).await?)?;
            let last = page.uploads.last().cloned();
            found.extend(page.uploads);
            match (page.is_truncated, last) {
                (true, Some(last)) => after = Some(last),
                (true, None) | (false, _) => break,
            }
        }
        Ok(found)
    }

    /// Gives up an upload.
    pub(super) async fn give_up(&self, key: &Key, upload: &str) -> Result<()> {
        let mut url = self.address(key).await?;
        url.query_pairs_mut().append_pair("uploadId", upload);
        self.ask(Method::DELETE, &url).await.map(drop)
    }

    /// Removes one version of a file.
    pub(super) async fn remove_version(&self, key: &Key, version: &str) -> Result<()> {
        let mut url = self.address(key).await?;
        url.query_pairs_mut().append_pair("versionId", version);
        self.ask(Method::DELETE, &url).await.map(drop)
    }

    /// Where a file is, or the bucket.
    async fn address(&self, key: &Key) -> Result<Url> {
        if let Some(base) = &self.base {
            return format!("{base}/{key}").parse().map_err(generic);
        }
        // The library keeps its own address to itself, but signs it.
        let mut url = self.signer.signed_url(Method::GET, key, Duration::from_secs(60)).await?;
        url.set_query(None);
        Ok(url)
    }

    /// The body of the answer.
    async fn ask(&self, method: Method, url: &Url) -> Result<Vec<u8>> {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = method;
        *request.uri_mut() = url.as_str().parse().map_err(generic)?;
        match &self.authority {
            Authority::S3 { credentials, region } => {
                let credential = credentials.get_credential().await?;
                AwsAuthorizer::new(&credential, "s3", region).authorize(&mut request, None);
            }
            Authority::Google(credentials) => {
                let credential = credentials.get_credential().await?;
                let token = format!("Bearer {}", credential.bearer);
                let mut token = HeaderValue::from_str(&token).map_err(generic)?;
                token.set_sensitive(true);
                request.headers_mut().insert(AUTHORIZATION, token);
            }
            Authority::Nobody => {}
        }
        let answer = self.client.execute(request).await.map_err(generic)?;
        let status = answer.status();
        let body = answer.into_body().bytes().await.map_err(generic)?;
        if status.is_success() {
            return Ok(body.to_vec());
        }
        let text: String = String::from_utf8_lossy(&body).chars().take(SHOWN_MAX).collect();
        let (path, source) = (url.path().to_owned(), format!("{status}: {text}").into());
        Err(match status {
            StatusCode::NOT_FOUND => Error::NotFound { path, source },
            StatusCode::FORBIDDEN => Error::PermissionDenied { path, source },
            StatusCode::UNAUTHORIZED => Error::Unauthenticated { path, source },
            StatusCode::CONFLICT => Error::AlreadyExists { path, source },
            _ => Error::Generic { store: STORE, source },
        })
    }
}

fn generic(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic { store: STORE, source: Box::new(error) }
}

/// A page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    uploads: Vec<(String, String)>,
    is_truncated: bool,
}

impl Page {
    fn read(xml: &[u8]) -> Result<Self> {
        let (mut page, mut path, mut text) = (Self::default(), Vec::new(), String::new());
        let (mut key, mut upload) = (String::new(), String::new());
        let mut reader = Reader::from_reader(xml);
        loop {
            match reader.read_event().map_err(generic)? {
                Event::Start(element) => {
                    path.push(element.local_name().as_ref().to_vec());
                    text.clear();
                }
                Event::Text(part) => text.push_str(&part.decode().map_err(generic)?),
                Event::GeneralRef(reference) => text.push_str(entity(&reference)),
                Event::End(_) => {
                    let name = path.pop().unwrap_or_default();
                    match (path.last().map(Vec::as_slice), name.as_slice()) {
                        (Some(b"Upload"), b"Key") => key = std::mem::take(&mut text),
                        (Some(b"Upload"), b"UploadId") => upload = std::mem::take(&mut text),
                        (_, b"Upload") => {
                            page.uploads.push((std::mem::take(&mut key), std::mem::take(&mut upload)));
                        }
                        (_, b"IsTruncated") => page.is_truncated = text.trim() == "true",
                        _ => {}
                    }
                }
                Event::Eof => return Ok(page),
                Event::Empty(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_) => {}
            }
        }
    }
}

/// The five that XML knows by itself. Our keys have no other.
fn entity(name: &[u8]) -> &'static str {
    match name {
        b"amp" => "&",
        b"lt" => "<",
        b"gt" => ">",
        b"quot" => "\"",
        b"apos" => "'",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// From S3's own documentation of ListMultipartUploads, shortened, with one name changed.
    #[test]
    fn a_listing_of_uploads_is_read() {
        let xml = br#"<?xml version="1.0" encoding="UTF-8"?>
<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Bucket>bucket</Bucket><KeyMarker></KeyMarker><UploadIdMarker/>
  <NextKeyMarker>my-movie.m2ts</NextKeyMarker><MaxUploads>3</MaxUploads><IsTruncated>true</IsTruncated>
  <Upload><Key>my&amp;divisor</Key><UploadId>XMgbGlrZSBlbHZpbmcncyBub3QgaGF2aW5nIG11Y2ggbHVjaw</UploadId>
    <Initiator><ID>arn:aws:iam::111122223333:user/user1</ID></Initiator><StorageClass>STANDARD</StorageClass>
  </Upload>
  <Upload><Key>my-movie.m2ts</Key><UploadId>VXBsb2FkIElEIGZvciBlbHZpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZA</UploadId></Upload>
</ListMultipartUploadsResult>"#;
        let page = Page::read(xml).unwrap();
        let expected = [
            ("my&divisor", "XMgbGlrZSBlbHZpbmcncyBub3QgaGF2aW5nIG11Y2ggbHVjaw"),
            ("my-movie.m2ts", "VXBsb2FkIElEIGZvciBlbHZpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZA"),
        ];
        assert_eq!(page.uploads, expected.map(|(key, id)| (key.to_owned(), id.to_owned())));
        assert!(page.is_truncated);
        assert!(
            Page::read(b"<Error><Code>").is_err() || Page::read(b"<Error><Code>").unwrap() == Page::default()
        );
    }
}
