//! A mail server: Python's aiosmtpd, which keeps each message as a file.

use super::certificates::{self, Certificates};
use super::{ReservedPort, Server, program};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The user that the server knows.
pub const USER: &str = "muster";
/// The user's password; no error and no log may show it.
pub const PASSWORD: &str = "s3cret-of-the-mailer";

const WRITABLE: &str = "the folder can be written";
/// Debian's, which has the package python3-aiosmtpd.
const PYTHON: &str = "/usr/bin/python3";

/// Recipients that begin with `full` are refused for now, those that begin with `gone` for ever.
const SCRIPT: &str = r#"
import asyncio, os, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult

port, mode, folder, user, password = int(sys.argv[1]), *sys.argv[2:]

class Keep:
    kept = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith('full'):
            return '452 the mailbox is full'
        if address.startswith('gone'):
            return '550 no such mailbox'
        envelope.rcpt_tos.append(address)
        return '250 OK'

    async def handle_DATA(self, server, session, envelope):
        Keep.kept += 1
        name = os.path.join(folder, 'mail-%04d' % Keep.kept)
        with open(name + '.part', 'wb') as file:
            file.write(envelope.original_content)
        os.rename(name + '.part', name + '.eml')
        return '250 kept'

def authenticate(server, session, envelope, mechanism, data):
    known = data.login == user.encode() and data.password == password.encode()
    return AuthResult(success=known, handled=False)

context = None
if mode != 'plain':
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + '/server.pem', folder + '/server.key')
options = {'plain': {}}.get(mode, {'authenticator': authenticate, 'auth_required': True})
if mode == 'starttls':
    options = dict(options, tls_context=context, require_starttls=True)
if mode == 'tls':
    # It does not see that all of the connection is TLS.
    options = dict(options, auth_require_tls=False)

async def main():
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Keep(), **options), '127.0.0.1', port, ssl=context if mode == 'tls' else None)
    await server.serve_forever()

asyncio.run(main())
"#;

/// How connections to the server are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Not at all, and anybody may send.
    Plain,
    /// They must change to TLS, and then name a user.
    StartTls,
    /// TLS from the first byte, and a user.
    Tls,
}

/// A running mail server on `localhost`.
#[derive(Debug)]
pub struct Smtpd {
    /// Its folder. `ca.pem` is the authority of its certificate.
    pub folder: tempfile::TempDir,
    /// Its port.
    pub port: u16,
    _server: Server,
    _port: ReservedPort,
}

impl Smtpd {
    /// Starts the server. Returns `None` if it is not installed.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(mode: Mode) -> Option<Self> {
        let python = program(&[PYTHON])?;
        let known = Command::new(&python).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
        if !known.is_ok_and(|status| status.success()) {
            println!("SKIPPED: aiosmtpd is not installed (Debian's python3-aiosmtpd)");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let Certificates { .. } = certificates::make(folder.path(), "127.0.0.1");
        let script = folder.path().join("smtpd.py");
        std::fs::write(&script, SCRIPT).expect(WRITABLE);
        let reserved = ReservedPort::new();
        let port = reserved.number();
        let mode = match mode {
            Mode::Plain => "plain",
            Mode::StartTls => "starttls",
            Mode::Tls => "tls",
        };
        let log = std::fs::File::create(folder.path().join("log")).expect(WRITABLE);
        let child = Command::new(python)
            .arg(&script)
            .args([&port.to_string(), mode])
            .arg(folder.path())
            .args([USER, PASSWORD])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .expect("python can be run");
        let mut server = Server(child);
        server.await_port(port, &folder.path().join("log"));
        Some(Self { folder, port, _server: server, _port: reserved })
    }

    /// The messages that it has accepted, in order.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn messages(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path()).expect("the folder can be read");
        let files = files.map(|file| file.expect("the folder can be read").path());
        let mut mails: Vec<PathBuf> =
            files.filter(|path| path.extension().is_some_and(|extension| extension == "eml")).collect();
        mails.sort();
        let read = |path: PathBuf| String::from_utf8(std::fs::read(path).expect("it can be read"));
        mails.into_iter().map(read).map(|text| text.expect("mail is ASCII here")).collect()
    }
}
