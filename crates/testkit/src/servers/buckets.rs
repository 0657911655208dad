//! Object stores, each with an empty bucket `muster`: moto and another S3, Azurite, and a fake of Google's service.

use super::{ReservedPort, Server, certificates};
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The bucket.
pub const BUCKET: &str = "muster";
/// The secret of the tests' credentials. No message may have it.
pub const SECRET: &str = "not-to-be-seen";
/// The account that Azurite knows, which its documentation tells, and the account's key.
const AZURE_ACCOUNT: &str = "devstoreaccount1";
const AZURE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// How long a server may take until it listens, in steps of [`LOOK_EVERY`].
const LOOKS_MAX: u32 = 1_200;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running object store.
pub struct ObjectStoreServer {
    _server: Server,
    port: ReservedPort,
    /// What the place of the bucket begins with.
    pub scheme: &'static str,
    /// How it is reached: names of variables and their values.
    pub variables: Vec<(&'static str, String)>,
    /// Whether it checks signatures, so that an address that it signed can be tried.
    pub checks_signatures: bool,
    /// Whether it refuses to write over a file where it is asked to.
    pub knows_conditions: bool,
}

impl ObjectStoreServer {
    /// Moto, which answers as S3 does, with object lock and conditions. `None` where it is not installed.
    ///
    /// # Panics
    /// When it does not start.
    pub fn moto(folder: &Path) -> Option<Self> {
        let program = program("MUSTER_MOTO_SERVER", "moto_server", "Python's package moto[server]")?;
        let port = ReservedPort::new();
        let mut command = Command::new(program);
        command.args(["--host", "127.0.0.1", "--port", &port.number().to_string()]);
        // Real parts have 5 MiB at least.
        command.env("S3_UPLOAD_PART_MIN_SIZE", "1");
        let started = Self::started(command, port, folder, "s3");
        // Moto does not check the signature.
        assert!(started.ask("PUT", &format!("/{BUCKET}"), &[], b"").starts_with("HTTP/1.1 200"));
        Some(Self { variables: started.s3_variables("tests", SECRET), ..started })
    }

    /// Moto over TLS, without a bucket, with a certificate of an authority that nobody knows. `None` where it is not installed.
    ///
    /// # Panics
    /// When it does not start.
    pub fn moto_with_tls(folder: &Path) -> Option<Self> {
        let program = program("MUSTER_MOTO_SERVER", "moto_server", "Python's package moto[server]")?;
        let (port, certificates) = (ReservedPort::new(), certificates::make(folder, "127.0.0.1"));
        let mut command = Command::new(program);
        command.args(["--host", "127.0.0.1", "--port", &port.number().to_string()]);
        command.arg("--ssl-cert").arg(&certificates.certificate).arg("--ssl-key").arg(&certificates.key);
        let started = Self::started(command, port, folder, "s3");
        let mut variables = started.s3_variables("tests", SECRET);
        variables.retain(|(name, _)| !matches!(*name, "AWS_ENDPOINT_URL" | "AWS_ALLOW_HTTP"));
        variables.push(("AWS_ENDPOINT_URL", started.address().replace("http://", "https://")));
        variables.push(("AWS_CA_BUNDLE", certificates.ca.display().to_string()));
        Some(Self { variables, ..started })
    }

    /// Another service with S3's protocol, which keeps its files in a folder: the crate s3s-fs. `None` where it is not
    /// installed.
    ///
    /// # Panics
    /// When it does not start.
    pub fn second_s3(folder: &Path) -> Option<Self> {
        let program = program("MUSTER_S3S_FS", "s3s-fs", "the crate s3s-fs with the feature binary")?;
        let root = folder.join("s3s");
        std::fs::create_dir_all(root.join(BUCKET)).expect("a folder can be made");
        let port = ReservedPort::new();
        let mut command = Command::new(program);
        command.args(["--host", "127.0.0.1", "--port", &port.number().to_string()]);
        command.args(["--access-key", "tests", "--secret-key", SECRET]).arg(&root);
        let started = Self::started(command, port, folder, "s3");
        Some(Self { variables: started.s3_variables("tests", SECRET), checks_signatures: true, ..started })
    }

    /// Azurite, Microsoft's own emulator. `None` where it is not installed.
    ///
    /// # Panics
    /// When it does not start.
    pub fn azurite(folder: &Path) -> Option<Self> {
        let program = program("MUSTER_AZURITE", "azurite-blob", "npm's package azurite")?;
        let port = ReservedPort::new();
        let mut command = Command::new(program);
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.number().to_string()]);
        command.args(["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence"]);
        let started = Self::started(command, port, folder, "az");
        let variables = vec![
            ("AZURE_STORAGE_ACCOUNT_NAME", AZURE_ACCOUNT.to_owned()),
            ("AZURE_STORAGE_ACCOUNT_KEY", AZURE_KEY.to_owned()),
            ("AZURE_STORAGE_ENDPOINT", format!("{}/{AZURE_ACCOUNT}", started.address())),
            ("AZURE_ALLOW_HTTP", "true".to_owned()),
        ];
        started.make_container();
        Some(Self { variables, checks_signatures: true, ..started })
    }

    /// A fake of Google's service. `None` where it is not installed.
    ///
    /// # Panics
    /// When it does not start.
    pub fn google(folder: &Path) -> Option<Self> {
        let program = program("MUSTER_FAKE_GCS", "fake-gcs-server", "the program fake-gcs-server")?;
        let port = ReservedPort::new();
        let mut command = Command::new(program);
        command.args(["-scheme", "http", "-host", "127.0.0.1", "-port", &port.number().to_string()]);
        command.args(["-backend", "memory", "-public-host", &format!("127.0.0.1:{}", port.number())]);
        let started = Self::started(command, port, folder, "gs");
        let made = started.ask(
            "POST",
            "/storage/v1/b?project=tests",
            &["Content-Type: application/json"],
            format!("{{\"name\": \"{BUCKET}\"}}").as_bytes(),
        );
        assert!(made.starts_with("HTTP/1.1 200"), "{made}");
        Some(Self { variables: google_variables(&started), ..started })
    }

    fn started(mut command: Command, port: ReservedPort, folder: &Path, scheme: &'static str) -> Self {
        let log = File::create(folder.join("store.log")).expect("a log can be made");
        let process = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .expect("the program can be run");
        let started = Self {
            _server: Server(process),
            port,
            scheme,
            variables: Vec::new(),
            checks_signatures: false,
            knows_conditions: true,
        };
        for _ in 0..LOOKS_MAX {
            if TcpStream::connect(("127.0.0.1", started.port.number())).is_ok() {
                return started;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        panic!("the object store does not listen")
    }

    fn s3_variables(&self, key: &str, secret: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.address()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", key.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ]
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// The place of a folder in the bucket.
    pub fn place(&self, folder: &str) -> String {
        format!("{}://{BUCKET}/{folder}", self.scheme)
    }

    /// The variables as properties of a bucket.
    pub fn properties(&self) -> Vec<(String, String)> {
        self.variables.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
    }

    /// The whole answer to a request, as text; moto needs to be told that somebody asks.
    ///
    /// # Panics
    /// When the server does not answer.
    pub fn ask(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port.number())).expect("it listens");
        let authority = "Authorization: AWS tests:none";
        let own = headers.iter().any(|header| header.starts_with("Authorization:"));
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", self.port.number());
        for header in headers.iter().copied().chain((!own).then_some(authority)) {
            head.push_str(&format!("{header}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()));
        connection.write_all(&[head.as_bytes(), body].concat()).expect("it takes requests");
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).expect("it answers");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Has Azurite make the container, with a request signed as its documentation says (Shared Key).
    fn make_container(&self) {
        let date = "Tue, 01 Dec 2026 08:00:00 GMT";
        let path = format!("/{AZURE_ACCOUNT}/{BUCKET}");
        let to_sign = format!(
            "PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:2021-08-06\n/{AZURE_ACCOUNT}{path}\nrestype:container"
        );
        let key = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, AZURE_KEY)
            .expect("the key is in base64");
        let mut mac =
            <hmac::Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(&key).expect("any length is a key");
        hmac::Mac::update(&mut mac, to_sign.as_bytes());
        let signed = hmac::Mac::finalize(mac).into_bytes();
        let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, signed);
        let headers = [
            format!("x-ms-date: {date}"),
            "x-ms-version: 2021-08-06".to_owned(),
            format!("Authorization: SharedKey {AZURE_ACCOUNT}:{signature}"),
        ];
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let made = self.ask("PUT", &format!("{path}?restype=container"), &headers, b"");
        assert!(made.starts_with("HTTP/1.1 201"), "{made}");
    }
}

fn google_variables(server: &ObjectStoreServer) -> Vec<(&'static str, String)> {
    let key = "{\"private_key\": \"none\", \"private_key_id\": \"none\", \"client_email\": \"none\", \"disable_oauth\": true}";
    vec![
        ("GOOGLE_SERVICE_ACCOUNT_KEY", key.to_owned()),
        ("GOOGLE_BASE_URL", server.address()),
        ("GOOGLE_ALLOW_HTTP", "true".to_owned()),
    ]
}

/// The program that a variable names, or that is on the path; otherwise prints a line that tests are skipped.
fn program(variable: &str, name: &str, package: &str) -> Option<PathBuf> {
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
    };
    let found = std::env::var_os(variable).map(PathBuf::from).or_else(on_path);
    if found.is_none() {
        println!("SKIPPED: {name} is not on the path ({package}); {variable} names it");
    }
    found
}
