//! OpenLDAP's slapd, loaded from LDIF.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::certificates::{self, Certificates};
use super::{ReservedPort, Server, program};

/// The password of `cn=admin,SUFFIX`; no error and no log may show it.
pub const PASSWORD: &str = "s3cret-of-the-admin";

const WRITABLE: &str = "the folder can be written";
const TEXT: &str = "a text can be written";
const MODIFY: &str = "/usr/bin/ldapmodify";

/// A running slapd.
#[derive(Debug)]
pub struct Slapd {
    /// Its folder. `ca.pem` is the authority of its certificate; `password` has the administrator's password.
    pub folder: tempfile::TempDir,
    /// Port of LDAP, on 127.0.0.1.
    pub port: u16,
    /// Port of LDAPS.
    pub tls_port: u16,
    /// The suffix of its tree.
    pub suffix: String,
    _server: Server,
    _ports: [ReservedPort; 2],
}

impl Slapd {
    /// Starts slapd over `suffix` with the entries of `ldif`. `limits` are more lines of its database's configuration.
    /// Returns `None` if it is not installed.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(suffix: &str, ldif: &str, limits: &str) -> Option<Self> {
        let slapd = program(&["/usr/sbin/slapd"])?;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let certificates = certificates::make(folder.path(), "127.0.0.1");
        std::fs::create_dir(folder.path().join("db")).expect(WRITABLE);
        std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).expect(WRITABLE);
        std::fs::write(folder.path().join("load.ldif"), ldif).expect(WRITABLE);
        write_configuration(folder.path(), &certificates, suffix, limits);
        let configuration = folder.path().join("slapd.conf");
        let load = Command::new("/usr/sbin/slapadd")
            // Public test directories may have other schemas.
            .args(["-q", "-s", "-f"])
            .arg(&configuration)
            .arg("-l")
            .arg(folder.path().join("load.ldif"))
            .output()
            .expect("slapadd can be run");
        assert!(load.status.success(), "{}", String::from_utf8_lossy(&load.stderr));
        let ports = [ReservedPort::new(), ReservedPort::new()];
        let [port, tls_port] = [ports[0].number(), ports[1].number()];
        // The certificate is not for 127.0.0.2.
        let urls =
            format!("ldap://127.0.0.1:{port} ldaps://127.0.0.1:{tls_port} ldaps://127.0.0.2:{tls_port}");
        let log = std::fs::File::create(folder.path().join("log")).expect(WRITABLE);
        let child = Command::new(slapd)
            .args(["-d", "0", "-h", &urls, "-f"])
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .expect("slapd can be run");
        let mut server = Server(child);
        server.await_port(port, &folder.path().join("log"));
        server.await_port(tls_port, &folder.path().join("log"));
        Some(Self { folder, port, tls_port, suffix: suffix.to_owned(), _server: server, _ports: ports })
    }

    /// Starts a server that accepts changes. Returns `None` if it or ldapmodify is not installed.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_changeable(suffix: &str, ldif: &str) -> Option<Self> {
        program(&[MODIFY])?;
        Self::start(suffix, ldif, &format!("rootpw {PASSWORD}"))
    }

    /// Applies changes, written as LDIF. The server records their times.
    ///
    /// # Panics
    /// When the server refuses, for example because it was not started for changes.
    pub fn change(&self, ldif: &str) {
        let mut child = Command::new(MODIFY)
            .args(["-x", "-H", &format!("ldap://127.0.0.1:{}", self.port)])
            .args(["-D", &format!("cn=root,{}", self.suffix), "-w", PASSWORD])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ldapmodify can be run");
        let mut input = child.stdin.take().expect("its input is a pipe");
        input.write_all(ldif.as_bytes()).expect("it reads its input");
        drop(input);
        let output = child.wait_with_output().expect("a child can be waited for");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn write_configuration(folder: &Path, certificates: &Certificates, suffix: &str, limits: &str) {
    let mut text = String::new();
    for schema in ["core", "cosine", "inetorgperson", "nis"] {
        writeln!(text, "include /etc/ldap/schema/{schema}.schema").expect(TEXT);
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
    .expect(TEXT);
    std::fs::write(folder.to_string() + "/slapd.conf", text).expect(WRITABLE);
}
