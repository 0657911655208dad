//! The answer with a file, for every route that gives one.

use super::stream;
use crate::failure::Failure;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::stream::empty;
use muster_reports::made::MadeFile;
use std::io;

/// Cache-Control of a file that is made for each request: nobody stores it.
pub(crate) const NO_STORE: &str = "private, no-store";

/// The headers that say what a file is and how it is kept.
pub(crate) struct FileAnswer<'a> {
    pub(crate) media_type: &'a str,
    /// Content-Disposition; a browser shows a file that has none.
    pub(crate) disposition: Option<HeaderValue>,
    /// Cache-Control.
    pub(crate) caching: &'static str,
}

impl FileAnswer<'_> {
    /// `bytes` bytes in `body`, of a file with this digest.
    pub(crate) fn sized(&self, body: Body, bytes: u64, sha256: &str) -> Result<Response, Failure> {
        let mut response = self.of(body)?;
        response.headers_mut().insert(CONTENT_LENGTH, bytes.into());
        response.headers_mut().insert(HeaderName::from_static("repr-digest"), repr_digest(sha256)?);
        Ok(response)
    }

    /// A file that was made for this request; the log calls it `name`.
    ///
    /// # Errors
    /// When the file does not have its recorded size; no byte has been sent then.
    pub(crate) async fn made(&self, file: MadeFile, name: &'static str) -> Result<Response, Failure> {
        let (bytes, sha256) = (file.bytes, file.sha256.clone());
        self.sized(stream::of_made(file, name).await?, bytes, &sha256)
    }

    /// The answer to a HEAD for a file that a GET would make: its length is not known.
    pub(crate) fn not_made(&self) -> Result<Response, Failure> {
        self.of(Body::from_stream(empty::<io::Result<Vec<u8>>>()))
    }

    /// Any body with the headers of the file.
    pub(crate) fn of(&self, body: Body) -> Result<Response, Failure> {
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, header(self.media_type)?);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(self.caching));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.extend(self.disposition.clone().map(|name| (CONTENT_DISPOSITION, name)));
        Ok(response)
    }
}

/// `sha-256=:BASE64:` of the whole file (RFC 9530).
fn repr_digest(sha256: &str) -> Result<HeaderValue, Failure> {
    let digits = sha256.as_bytes();
    let digest: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    let digest = digest.ok_or_else(|| {
        Failure::internal("a published file's record is damaged", "sha256 is not made of hex digits")
    })?;
    header(format!("sha-256=:{}:", BASE64.encode(digest)))
}

/// The value of a header from a file's record.
pub(crate) fn header(text: impl Into<String>) -> Result<HeaderValue, Failure> {
    HeaderValue::try_from(text.into())
        .map_err(|error| Failure::internal("a published file's record gives no valid header", error))
}
