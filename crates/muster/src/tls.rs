//! TLS on the connections that the service accepts: the certificate and key that the settings name.

use crate::config::Server;
use crate::connections::Transport;
use crate::failure::{Context, Failure, Result};
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

/// Plain HTTP, or TLS where a certificate is named. Paths are relative to `dir`.
///
/// # Errors
/// When a file cannot be read, holds no certificate or key, the two do not belong together, or every user can read the key.
pub fn transport(settings: &Server, dir: &Path) -> Result<Transport> {
    let (Some(certificate), Some(key)) = (&settings.tls_certificate, &settings.tls_key) else {
        return Ok(Transport::Plain);
    };
    let (certificate, key) = (dir.join(certificate), dir.join(key));
    let what = |file: &Path, kind: &str, error: PemError| {
        Failure::with(format!("{} cannot be read: expected {kind} in PEM", file.display()), error)
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect)
        .map_err(|error| what(&certificate, "certificates", error))?;
    if chain.is_empty() {
        return Err(Failure::new(format!("{} has no certificate in PEM", certificate.display())));
    }
    // That a group may read it is usual where a tool renews certificates.
    if let Ok(metadata) = key.metadata()
        && metadata.permissions().mode() & EVERYBODY != 0
    {
        return Err(Failure::new(format!(
            "every user can read the key {} (mode {:o}): expected mode 600 or 640",
            key.display(),
            metadata.permissions().mode() & 0o777
        )));
    }
    let secret = PrivateKeyDer::from_pem_file(&key).map_err(|error| what(&key, "a private key", error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .context(|| "TLS cannot be set up".into())?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .context(|| {
            format!("certificate {} and key {} cannot be used together", certificate.display(), key.display())
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
    fn made(dir: &Path, name: &str) -> Server {
        let (certificate, key) = (PathBuf::from(format!("{name}.pem")), PathBuf::from(format!("{name}.key")));
        let made = Command::new("openssl")
            .current_dir(dir)
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
                // As OpenSSL makes it, it would be an authority's, which is no server.
                "basicConstraints=critical,CA:FALSE",
                "-keyout",
            ])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Server { tls_certificate: Some(certificate), tls_key: Some(key), ..Server::default() }
    }

    #[tokio::test]
    async fn a_client_that_trusts_the_certificate_is_answered_and_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let transport = transport(&made(dir.path(), "good"), dir.path()).unwrap();
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

        let pem = std::fs::read(dir.path().join("good.pem")).unwrap();
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
        // As `muster report` calls it: what answers there is no service, but it is heard.
        let url = format!("https://{address}");
        let api = |ca_file| crate::api::Api::new(&url, "id", "secret", ca_file).unwrap();
        let file = dir.path().join("good.pem");
        let heard = api(Some(file.as_path())).result("x").await.unwrap_err().to_string();
        assert!(heard.ends_with("(404)"), "{heard}");
        let stranger = api(None).result("x").await.unwrap_err().to_string();
        assert!(stranger.contains("was not reached"), "{stranger}");
        let key = dir.path().join("good.key");
        assert!(
            crate::api::Api::new(&url, "id", "secret", Some(key.as_path())).is_err(),
            "it has no certificate"
        );
        stop.cancel();
        serving.await.unwrap();
    }

    #[test]
    fn files_that_do_not_fit_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (made(dir.path(), "one"), made(dir.path(), "other"));
        let error = |server: &Server| transport(server, dir.path()).err().unwrap().to_string();
        let mixed = Server { tls_key: other.tls_key.clone(), ..one.clone() };
        assert!(error(&mixed).contains("cannot be used together"), "{}", error(&mixed));
        let swapped = Server { tls_certificate: one.tls_key.clone(), ..one.clone() };
        assert!(error(&swapped).ends_with("one.key has no certificate in PEM"), "{}", error(&swapped));
        let absent = Server { tls_key: Some("absent.key".into()), ..one.clone() };
        assert!(error(&absent).contains("absent.key cannot be read"), "{}", error(&absent));
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(dir.path().join("one.key"), open).unwrap();
        assert!(error(&one).contains("every user can read the key"), "{}", error(&one));
    }
}
