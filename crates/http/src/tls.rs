//! TLS on the connections that the service accepts.

use crate::connections::Transport;
use muster_reports::error::{Error, Result};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Mode bits of those who are neither the owner nor in the group.
const EVERYBODY: u32 = 0o007;

/// TLS with the certificate chain of one PEM file and the key of the other.
///
/// # Errors
/// When a file cannot be read, holds no certificate or key, the two do not belong together, or every user can read the key.
pub fn transport(certificate: &Path, key: &Path) -> Result<Transport> {
    let what = |file: &Path, kind: &str, error: PemError| {
        Error::internal(format!("{} cannot be read: expected {kind} in PEM", file.display()), error)
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| what(certificate, "certificates", error))?;
    if chain.is_empty() {
        return Err(Error::invalid(format!("{} has no certificate in PEM", certificate.display())));
    }
    // A group may read the key: this is usual if a tool renews certificates.
    if let Ok(metadata) = key.metadata()
        && metadata.permissions().mode() & EVERYBODY != 0
    {
        return Err(Error::invalid(format!(
            "every user can read the key {} (mode {:o}): expected mode 600 or 640",
            key.display(),
            metadata.permissions().mode() & 0o777
        )));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| what(key, "a private key", error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("TLS cannot be set up", error))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| {
            let (certificate, key) = (certificate.display(), key.display());
            Error::internal(format!("certificate {certificate} and key {key} cannot be used together"), error)
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Transport::Tls(TlsAcceptor::from(Arc::new(config))))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::connections::{self, Limits};
    use axum::Router;
    use axum::routing::get;
    use std::path::PathBuf;
    use std::process::Command;
    use std::time::Duration;
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    /// A certificate for `localhost` and its key, made by OpenSSL.
    fn made(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ])
            .args([
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-addext",
                // By default OpenSSL makes the certificate of an authority, which no server may have.
                "basicConstraints=critical,CA:FALSE",
                "-keyout",
            ])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        (certificate, key)
    }

    #[tokio::test]
    async fn a_client_that_trusts_the_certificate_is_answered_and_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = made(dir.path(), "good");
        let transport = transport(&certificate, &key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let limits = Limits {
            header_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            connections_max: 10,
            grace: Duration::from_secs(1),
        };
        let router = Router::new().route("/", get(async || "answered"));
        let serving = tokio::spawn(connections::serve(listener, transport, router, limits, stop.clone()));

        let pem = std::fs::read(&certificate).unwrap();
        let trusted = reqwest::Certificate::from_pem(&pem).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([trusted]).build().unwrap();
        let answer = client.get(format!("https://{address}/")).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "answered");
        let stranger = reqwest::Client::new();
        assert!(
            stranger.get(format!("https://{address}/")).send().await.is_err(),
            "it trusts nobody we know"
        );
        assert!(stranger.get(format!("http://{address}/")).send().await.is_err(), "plain HTTP is not spoken");
        stop.cancel();
        serving.await.unwrap();
    }

    #[test]
    fn files_that_do_not_fit_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let ((one, key), (_, other_key)) = (made(dir.path(), "one"), made(dir.path(), "other"));
        let refused = |certificate: &Path, key: &Path, part: &str| {
            let error = transport(certificate, key).err().unwrap().to_string();
            assert!(error.contains(part), "{error}");
        };
        refused(&one, &other_key, "cannot be used together");
        refused(&key, &key, "one.key has no certificate in PEM");
        refused(&one, &dir.path().join("absent.key"), "absent.key cannot be read");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        refused(&one, &key, "every user can read the key");
    }
}
