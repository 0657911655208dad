//! OpenLDAP's slapd, loaded from LDIF.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use muster_sources::LdapSettings;

use super::certificates::{self, Certificates};
use super::{Server, free_port, program};

/// The password of `cn=admin,SUFFIX`; no error and no log may show it.
pub const PASSWORD: &str = "s3cret-of-the-admin";

/// A running slapd.
pub struct Slapd {
    pub folder: tempfile::TempDir,
    pub port: u16,
    pub tls_port: u16,
    suffix: String,
    _server: Server,
}

impl Slapd {
    /// Starts slapd over `suffix` with the entries of `ldif`; `limits` are further lines of its database's
    /// configuration.
    pub fn start(suffix: &str, ldif: &str, limits: &str) -> Option<Self> {
        let slapd = program(&["/usr/sbin/slapd"])?;
        let folder = tempfile::tempdir().unwrap();
        let certificates = certificates::make(folder.path(), "127.0.0.1");
        std::fs::create_dir(folder.path().join("db")).unwrap();
        std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        std::fs::write(folder.path().join("load.ldif"), ldif).unwrap();
        write_configuration(folder.path(), &certificates, suffix, limits);
        let configuration = folder.path().join("slapd.conf");
        let load = Command::new("/usr/sbin/slapadd")
            // Public directories were made for servers with other schemas.
            .args(["-q", "-s", "-f"])
            .arg(&configuration)
            .arg("-l")
            .arg(folder.path().join("load.ldif"))
            .output()
            .unwrap();
        assert!(load.status.success(), "{}", String::from_utf8_lossy(&load.stderr));
        let (port, tls_port) = (free_port(), free_port());
        // 127.0.0.2 is the address for which the certificate is not.
        let urls =
            format!("ldap://127.0.0.1:{port} ldaps://127.0.0.1:{tls_port} ldaps://127.0.0.2:{tls_port}");
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(slapd)
            .args(["-d", "0", "-h", &urls, "-f"])
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Server(child);
        server.await_port(port, &folder.path().join("log"));
        server.await_port(tls_port, &folder.path().join("log"));
        Some(Self { folder, port, tls_port, suffix: suffix.to_owned(), _server: server })
    }

    /// Settings that read everything below the suffix over LDAPS as the administrator.
    pub fn settings(&self) -> LdapSettings {
        LdapSettings {
            ca_file: Some("ca.pem".to_owned()),
            bind_dn: Some(format!("cn=admin,{}", self.suffix)),
            password_file: Some("password".to_owned()),
            ..LdapSettings::new(format!("ldaps://127.0.0.1:{}", self.tls_port), &self.suffix)
        }
    }
}

fn write_configuration(folder: &Path, certificates: &Certificates, suffix: &str, limits: &str) {
    let mut text = String::new();
    for schema in ["core", "cosine", "inetorgperson", "nis"] {
        writeln!(text, "include /etc/ldap/schema/{schema}.schema").unwrap();
    }
    let folder = folder.display();
    write!(
        text,
        "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\n\
         pidfile {folder}/pid\nargsfile {folder}/args\n\
         TLSCACertificateFile {}\nTLSCertificateFile {}\nTLSCertificateKeyFile {}\n\
         database mdb\nsuffix \"{suffix}\"\nrootdn \"cn=root,{suffix}\"\ndirectory {folder}/db\n\
         maxsize 1073741824\nindex objectClass,uid,member,uniqueMember,memberUid eq\n\
         access to attrs=userPassword by anonymous auth by * read\naccess to * by * read\n\
         overlay memberof\n{limits}\n",
        certificates.ca.display(),
        certificates.certificate.display(),
        certificates.key.display(),
    )
    .unwrap();
    std::fs::write(folder.to_string() + "/slapd.conf", text).unwrap();
}
