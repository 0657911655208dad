//! A bucket for results: moto's server answers as S3 does, and a proxy between it and the service breaks what they say.

pub(crate) mod proxy;

use crate::failure::{Context, Failure, Result};
use crate::install;
use crate::installation::Installation;
use crate::port::ReservedPort;
use crate::workspace::Workspace;
use proxy::Proxy;
use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The bucket's name.
const BUCKET: &str = "muster";
/// The variable by which this harness finds the bucket of an installation: the address of the folder in it, not through the
/// proxy. The service does not know it.
const DIRECT: &str = "HARNESS_BUCKET";
/// Moto does not check a signature, but refuses files that were sent in parts to whoever does not say who asks.
const OWNER: &str = "AWS harness:none";
/// How long the server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a part: small, so that the files of a small organisation are sent in parts.
const PART: &str = "4KiB";
/// How long the service waits for an answer of the bucket.
const ANSWER: &str = "2s";

/// A server with a bucket, killed when dropped.
pub struct Store {
    process: Child,
    port: ReservedPort,
}

impl Store {
    /// Starts a server with an empty bucket.
    ///
    /// # Errors
    /// When it cannot be installed or does not start.
    pub fn start(workspace: &Workspace, folder: &Path) -> Result<Self> {
        let python = install::python_with_kafka(workspace)?;
        let port = ReservedPort::new()?;
        let log = folder.join("store.log");
        let log = File::create(&log).context(|| format!("{} cannot be made", log.display()))?;
        let mut server = Command::new(python);
        server.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.number().to_string()]);
        // Real parts have 5 MiB at least.
        server
            .env("S3_UPLOAD_PART_MIN_SIZE", "1")
            .stderr(log.try_clone().context(|| "no log".into())?)
            .stdout(log);
        let process = server.spawn().context(|| "the object store cannot be started".into())?;
        let store = Self { process, port };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", store.port.number())).is_err() {
            if begun.elapsed() > PATIENCE {
                return Err(Failure::new("the object store does not listen"));
            }
            sleep(Duration::from_millis(50));
        }
        let made = ureq::put(format!("http://127.0.0.1:{}/{BUCKET}", store.port.number())).send_empty();
        made.context(|| "the bucket cannot be made".into())?;
        Ok(store)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Has an installation keep its results in a folder of the bucket, which it reaches through the proxy.
    pub fn keeps(&self, installation: &mut Installation, folder: &str, proxy: &Proxy) {
        let direct = format!("http://127.0.0.1:{}/{BUCKET}/{folder}", self.port());
        let settings = [
            ("MUSTER__RESULTS__LOCATION", format!("s3://{BUCKET}/{folder}")),
            ("MUSTER__RESULTS__PART_SIZE", PART.to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", proxy.port())),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "harness".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "not-to-be-seen".to_owned()),
            ("AWS_TIMEOUT", ANSWER.to_owned()),
            // What is swept is not kept.
            ("MUSTER__DATA__TRASH_DAYS", "0".to_owned()),
            (DIRECT, direct),
        ];
        installation.settings.retain(|(name, _)| settings.iter().all(|(new, _)| name != new));
        installation.settings.extend(settings.map(|(name, value)| (name.to_owned(), value)));
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The folder of a bucket, as this harness looks at it.
#[derive(Debug, Clone)]
pub struct BucketFolder(String);

impl BucketFolder {
    /// That of an installation, if its results are in a bucket.
    pub fn of(installation: &Installation) -> Option<Self> {
        installation.setting(DIRECT).map(|address| Self(address.to_owned()))
    }

    /// The address of the bucket, and the folder in it.
    fn parts(&self) -> (&str, &str) {
        self.0.rsplit_once('/').unwrap_or((&self.0, ""))
    }

    /// The content of a file, if it is there.
    ///
    /// # Errors
    /// When the store fails.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match ureq::get(format!("{}/{name}", self.0)).header("Authorization", OWNER).call() {
            Ok(mut answer) => {
                let content = answer.body_mut().with_config().limit(1 << 30).read_to_vec();
                content.map(Some).context(|| format!("{name} cannot be read"))
            }
            Err(ureq::Error::StatusCode(404)) => Ok(None),
            Err(error) => Err(error).context(|| format!("{name} cannot be read")),
        }
    }

    /// The names of the files that are in no folder of it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn names(&self) -> Result<Vec<String>> {
        let (bucket, folder) = self.parts();
        let listed = text(&format!("{bucket}?list-type=2&delimiter=/&prefix={folder}/"))?;
        let begin = format!("{folder}/");
        Ok(values(&listed, "Key").filter_map(|key| key.strip_prefix(&begin)).map(str::to_owned).collect())
    }

    /// The keys of uploads in parts that have not ended.
    ///
    /// # Errors
    /// When the store fails.
    pub fn uploads(&self) -> Result<Vec<String>> {
        let (bucket, folder) = self.parts();
        let listed = text(&format!("{bucket}?uploads&prefix={folder}/"))?;
        let ours = format!("{folder}/");
        Ok(values(&listed, "Key").filter(|key| key.starts_with(&ours)).map(str::to_owned).collect())
    }
}

fn text(address: &str) -> Result<String> {
    let mut answer = ureq::get(address)
        .header("Authorization", OWNER)
        .call()
        .context(|| format!("{address} cannot be asked"))?;
    answer.body_mut().read_to_string().context(|| format!("{address} gave no text"))
}

/// The texts of the elements of this name.
fn values<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let (value, after) = rest.split_once(&open)?.1.split_once(&close)?;
        rest = after;
        Some(value)
    })
}
