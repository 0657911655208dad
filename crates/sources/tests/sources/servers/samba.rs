//! Samba as a domain controller of Active Directory, provisioned for one test, on a loopback address of its own and
//! with no service but LDAP.

use std::process::{Command, Stdio};

use muster_sources::{Directory, LdapSettings};

use super::{Server, certificates, program};

/// The administrator's password; no error and no log may show it.
pub const PASSWORD: &str = "Adm1n-Secret-99";
/// Ports below 1024 cannot be chosen, so the address is; other servers of this machine have other ones.
const ADDRESS: [u8; 4] = [127, 77, 0, 5];

/// A running domain controller of `example.org`.
pub struct Samba {
    pub folder: tempfile::TempDir,
    _server: Server,
}

impl Samba {
    /// Provisions a domain, adds the entries of `ldif`, and starts the controller. Only root may use its ports.
    pub fn start(ldif: &str) -> Option<Self> {
        let samba = program(&["/usr/sbin/samba"])?;
        let tool = program(&["/usr/bin/samba-tool"])?;
        program(&["/usr/share/samba/setup/provision.ldif"])?;
        if Command::new("id").arg("-u").output().unwrap().stdout != b"0\n" {
            println!("SKIPPED: a domain controller needs to be started as root");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let address = ADDRESS.map(|part| part.to_string()).join(".");
        let tls = certificates::make(path, &address);
        std::fs::write(path.join("password"), format!("{PASSWORD}\n")).unwrap();
        std::fs::write(path.join("entries.ldif"), ldif).unwrap();
        run(Command::new(tool)
            .args(["domain", "provision", "--realm=EXAMPLE.ORG", "--domain=EXAMPLE"])
            .args([
                "--server-role=dc",
                "--dns-backend=NONE",
                &format!("--adminpass={PASSWORD}"),
                &format!("--host-ip={address}"),
                &format!("--targetdir={}", path.join("dc").display()),
            ]));
        let configuration = path.join("dc/etc/smb.conf");
        let options = format!(
            "[global]\n\tinterfaces = {address}/8\n\tbind interfaces only = yes\n\tserver services = ldap\n\
             \tpid directory = {0}\n\tncalrpc dir = {0}/ncalrpc\n\tlog file = {0}/log\n\
             \ttls certfile = {1}\n\ttls keyfile = {2}\n\ttls cafile = {3}\n",
            path.display(),
            tls.certificate.display(),
            tls.key.display(),
            tls.ca.display(),
        );
        let text = std::fs::read_to_string(&configuration).unwrap();
        let kept: Vec<_> = text.lines().filter(|line| !line.contains("server services =")).collect();
        std::fs::write(&configuration, kept.join("\n").replacen("[global]\n", &options, 1)).unwrap();
        run(Command::new("ldbadd")
            .arg("-H")
            .arg(path.join("dc/private/sam.ldb"))
            .arg(path.join("entries.ldif")));
        let log = std::fs::File::create(path.join("output")).unwrap();
        let child = Command::new(samba)
            .args(["-i", "-M", "single", "-s"])
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Server(child);
        server.await_address((ADDRESS, 636).into(), &path.join("output"));
        Some(Self { folder, _server: server })
    }

    /// Settings that read all users over LDAPS as the administrator.
    pub fn settings(&self) -> LdapSettings {
        let address = ADDRESS.map(|part| part.to_string()).join(".");
        LdapSettings {
            ca_file: Some("ca.pem".to_owned()),
            bind_dn: Some("administrator@example.org".to_owned()),
            password_file: Some("password".to_owned()),
            directory: Directory::ActiveDirectory,
            filter: "(&(objectCategory=person)(objectClass=user))".to_owned(),
            ..LdapSettings::new(format!("ldaps://{address}"), "dc=example,dc=org")
        }
    }

    /// The same over a connection that is not secured.
    pub fn plain_settings(&self) -> LdapSettings {
        let settings = self.settings();
        LdapSettings { url: settings.url.replace("ldaps", "ldap"), allow_plaintext: true, ..settings }
    }

    /// Applies changes written as LDIF to the controller's own database.
    pub fn change(&self, ldif: &str) {
        let path = self.folder.path().join("changes.ldif");
        std::fs::write(&path, ldif).unwrap();
        run(Command::new("ldbmodify").arg("-H").arg(self.folder.path().join("dc/private/sam.ldb")).arg(path));
    }

    /// What the controller's own database says of an attribute, by the tool that comes with it.
    pub fn stored(&self, account: &str, attribute: &str) -> String {
        let output = Command::new("ldbsearch")
            .arg("-H")
            .arg(self.folder.path().join("dc/private/sam.ldb"))
            .args([&format!("(sAMAccountName={account})"), attribute])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{attribute}: ")));
        line.unwrap_or_else(|| panic!("{account} has no {attribute}: {text}")).to_owned()
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
