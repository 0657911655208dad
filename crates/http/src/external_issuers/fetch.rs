//! Where the keys of an external issuer come from: a file or an address.
//!
//! This file has the limits of a fetch: no redirects, no more bytes than a set may have, and HTTPS unless the address
//! is on this machine. `crates/runs/src/evidence/authority.rs` has the same client, because the only crate that both
//! may name, `reports`, does no IO.

use super::keys::{KEY_SET_BYTES_MAX, KeySource};
use async_trait::async_trait;
use muster_reports::error::{Error, Result};
use reqwest::header::ACCEPT;
use reqwest::{Client, RequestBuilder, Url, redirect};
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A JWK set in a file; read each time, so that it can be replaced.
pub struct FileKeys(pub PathBuf);

#[async_trait]
impl KeySource for FileKeys {
    async fn fetch(&self) -> Result<Vec<u8>, Fault> {
        let path = self.0.clone();
        let read = move || -> std::io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            let file = std::fs::File::open(&path)
                .map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
            file.take(KEY_SET_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        Ok(tokio::task::spawn_blocking(read).await??)
    }
}

/// A JWK set at an address.
pub struct UrlKeys {
    client: Client,
    url: Url,
}

impl UrlKeys {
    /// The set at this address. A fetch may take up to `timeout`. Nothing is sent yet.
    ///
    /// # Errors
    /// `Invalid` when the address cannot be one, or others could change the answer on its way.
    pub fn new(address: &str, timeout: Duration) -> Result<Self> {
        let url = safe_address("jwks_url", address)?;
        let client = bounded_client(&url, timeout)?;
        Ok(Self { client, url })
    }
}

#[async_trait]
impl KeySource for UrlKeys {
    async fn fetch(&self) -> Result<Vec<u8>, Fault> {
        let request = self.client.get(self.url.clone()).header(ACCEPT, "application/json");
        bounded_answer(request, KEY_SET_BYTES_MAX).await
    }
}

/// An address at which nobody in between can change the answer; `what` is what the settings or the issuer call it.
pub(crate) fn safe_address(what: &str, address: &str) -> Result<Url> {
    let url = Url::parse(address).map_err(|error| Error {
        source: Some(Box::new(error)),
        ..Error::invalid(format!("{what} {address:?} is not an address"))
    })?;
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() != "https" && !(url.scheme() == "http" && local) {
        return Err(Error::invalid(format!(
            "{what} {address:?} is not safe: expected https, or http on this machine"
        )));
    }
    Ok(url)
}

/// A client that follows no redirect and waits no longer than this.
pub(super) fn bounded_client(url: &Url, timeout: Duration) -> Result<Client> {
    Client::builder()
        .redirect(redirect::Policy::none())
        .https_only(url.scheme() == "https")
        .timeout(timeout)
        .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::internal("an HTTP client cannot be made", error))
}

/// Sends a request and reads its answer: a status of 200 with at most `bytes_max` bytes.
pub(super) async fn bounded_answer(request: RequestBuilder, bytes_max: usize) -> Result<Vec<u8>, Fault> {
    let mut response = request.send().await?;
    let url = response.url().clone();
    if response.status() != 200 {
        return Err(format!("{url} answers {}: expected 200", response.status()).into());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > bytes_max {
            return Err(format!("{url} sends more than {bytes_max} bytes").into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const TIMEOUT: Duration = Duration::from_secs(20);

    /// What is read from a server that answers one request with `answer`.
    async fn fetched(answer: String, timeout: Duration) -> Result<Vec<u8>, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/keys", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 2_048];
            let read = stream.read(&mut head).await.unwrap();
            // The reader may hang up before the end; that is what some of these cases are about.
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.read(&mut [0]).await;
            String::from_utf8_lossy(&head[..read]).into_owned()
        });
        let keys = UrlKeys::new(&address, timeout).unwrap();
        let fetched = keys.fetch().await.map_err(|error| error.to_string());
        drop(keys);
        assert!(server.await.unwrap().starts_with("GET /keys HTTP/1.1\r\n"));
        fetched
    }

    fn answer(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn a_set_is_fetched() {
        assert_eq!(fetched(answer("200 OK", "{\"keys\":[]}"), TIMEOUT).await.unwrap(), b"{\"keys\":[]}");
        let full = " ".repeat(KEY_SET_BYTES_MAX);
        assert_eq!(fetched(answer("200 OK", &full), TIMEOUT).await.unwrap().len(), KEY_SET_BYTES_MAX);
    }

    #[tokio::test]
    async fn what_is_no_set_is_refused() {
        let large = answer("200 OK", &" ".repeat(KEY_SET_BYTES_MAX + 1));
        assert!(fetched(large, TIMEOUT).await.unwrap_err().contains("more than 262144 bytes"));
        let moved = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        assert!(fetched(moved.into(), TIMEOUT).await.unwrap_err().contains("302"));
        assert!(fetched(answer("500 Oops", ""), TIMEOUT).await.unwrap_err().contains("500"));
        let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{".to_owned();
        assert!(fetched(half, Duration::from_millis(50)).await.is_err());
    }

    #[tokio::test]
    async fn a_file_is_read_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let keys = FileKeys(dir.path().join("keys.json"));
        assert!(keys.fetch().await.unwrap_err().to_string().contains("keys.json"));
        for text in ["{}", "{\"keys\":[]}"] {
            std::fs::write(dir.path().join("keys.json"), text).unwrap();
            assert_eq!(keys.fetch().await.unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn addresses_that_others_can_change_are_refused() {
        for address in
            ["https://login.example.org/keys", "http://127.0.0.1:9/", "http://localhost/", "http://[::1]:1/k"]
        {
            assert!(UrlKeys::new(address, TIMEOUT).is_ok(), "{address}");
        }
        for address in
            ["http://login.example.org/keys", "http://localhost.example.org/", "file:///etc/x", "keys", ""]
        {
            assert!(UrlKeys::new(address, TIMEOUT).is_err(), "{address}");
        }
    }
}
