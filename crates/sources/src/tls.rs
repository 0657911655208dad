//! Which certificates a TLS connection trusts: those of a definition's CA file, else the system's.
//!
//! The provider is named here and not taken from the process: two of them are linked into the whole program, and
//! then there is no default.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::reader::ReadError;

/// A client's configuration that verifies certificate and host name; `ca_file` holds PEM certificates.
///
/// # Errors
/// The file cannot be read or holds no certificate, or the system has none.
pub(crate) fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, ReadError> {
    let (place, certificates) = match ca_file {
        Some(path) => (path.display().to_string(), file_certificates(path)?),
        None => ("system".to_owned(), rustls_native_certs::load_native_certs().certs),
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        let reason = "expected at least one certificate of an authority, in PEM".to_owned();
        return Err(ReadError::Settings { path: place, reason });
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for the protocol versions that it was built with")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn file_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ReadError> {
    let name = path.display().to_string();
    let pem =
        std::fs::read(path).map_err(|source| ReadError::Io { action: "read", path: name.clone(), source })?;
    CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| ReadError::Settings { path: name, reason: "expected certificates in PEM".to_owned() })
}
