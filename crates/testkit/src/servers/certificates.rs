//! An authority and a server's certificate, made by OpenSSL for one test.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of a certificate authority and a server.
#[derive(Debug)]
pub struct Certificates {
    /// The authority's certificate.
    pub ca: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Makes the files in `folder`. The server's certificate is for `localhost` and `address`.
///
/// # Panics
/// When OpenSSL cannot.
pub fn make(folder: &Path, address: &str) -> Certificates {
    let path = |name: &str| folder.join(name);
    let openssl = |arguments: &[&str]| {
        let output =
            Command::new("openssl").args(arguments).current_dir(folder).output().expect("openssl can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let mut arguments = vec!["req", "-x509", "-subj", "/CN=Test authority", "-days", "2"];
    arguments.extend(["-keyout", "ca.key", "-out", "ca.pem"]);
    arguments.extend(key);
    openssl(&arguments);
    let mut arguments = vec!["req", "-x509", "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=server"];
    arguments.extend(["-days", "2", "-keyout", "server.key", "-out", "server.pem"]);
    let names = format!("subjectAltName=DNS:localhost,IP:{address}");
    arguments.extend(["-addext", &names]);
    arguments.extend(["-addext", "basicConstraints=critical,CA:FALSE"]);
    arguments.extend(key);
    openssl(&arguments);
    Certificates { ca: path("ca.pem"), certificate: path("server.pem"), key: path("server.key") }
}
