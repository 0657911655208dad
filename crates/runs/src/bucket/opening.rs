//! A store of object_store's from the properties of a place.

use super::requests::Requests;
use super::s3::{Authority, UnfinishedUploads};
use super::{BucketKind, BucketPlace, Naming};
use muster_reports::error::{Error, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::{HttpClient, HttpConnector};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::signer::Signer;
use object_store::{Certificate, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig};
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// How long a request may take, with its content.
const REQUEST: &str = "5 minutes";
/// How long a request is tried again.
const RETRIED_FOR: Duration = Duration::from_secs(60);
/// How often.
const RETRIES_MAX: usize = 8;
/// What Google's service is called, unless a property says otherwise.
const GOOGLE: &str = "https://storage.googleapis.com";

/// What opening gives.
pub(super) struct Opened {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) signer: Arc<dyn Signer>,
    pub(super) uploads: Option<UnfinishedUploads>,
    pub(super) naming: Naming,
    pub(super) parts_once: bool,
}

pub(super) fn open(place: &BucketPlace, naming: Naming) -> Result<Opened> {
    match place.kind {
        BucketKind::S3 => s3(place, naming),
        BucketKind::Azure => azure(place, naming),
        BucketKind::Google => google(place, naming),
    }
}

fn s3(place: &BucketPlace, naming: Naming) -> Result<Opened> {
    // Stores that do not know conditions are told so by this property.
    let naming = match place.property("aws_conditional_put") {
        Some("disabled") => Naming::Again,
        Some(_) | None => naming,
    };
    let requests = Requests { completes_once: naming == Naming::Once };
    let (options, keys) = settings::<AmazonS3ConfigKey>(place)?;
    let mut builder = AmazonS3Builder::new();
    // The store compares what arrives with this digest.
    builder = builder.with_config(AmazonS3ConfigKey::Checksum, "sha256");
    for (key, value) in keys {
        builder = builder.with_config(key, value);
    }
    let region = builder
        .get_config_value(&AmazonS3ConfigKey::Region)
        .or_else(|| builder.get_config_value(&AmazonS3ConfigKey::DefaultRegion))
        .unwrap_or_else(|| "us-east-1".to_owned());
    let builder = builder
        .with_bucket_name(&place.bucket)
        .with_client_options(options.clone())
        .with_retry(retries())
        .with_http_connector(requests);
    let store = Arc::new(builder.build().map_err(|error| unopened(place, error))?);
    let authority = match place.property("aws_skip_signature") {
        Some("true") => Authority::Nobody,
        Some(_) | None => Authority::S3 { credentials: store.credentials().clone(), region },
    };
    let uploads = UnfinishedUploads {
        client: connected(place, requests, &options)?,
        authority,
        signer: store.clone(),
        base: None,
    };
    Ok(Opened {
        store: store.clone(),
        signer: store,
        uploads: Some(uploads),
        naming,
        parts_once: requests.completes_once,
    })
}

fn azure(place: &BucketPlace, naming: Naming) -> Result<Opened> {
    let requests = Requests { completes_once: false };
    let (options, keys) = settings::<AzureConfigKey>(place)?;
    let mut builder = MicrosoftAzureBuilder::new();
    for (key, value) in keys {
        builder = builder.with_config(key, value);
    }
    let builder = builder
        .with_container_name(&place.bucket)
        .with_client_options(options)
        .with_retry(retries())
        .with_http_connector(requests);
    let store = Arc::new(builder.build().map_err(|error| unopened(place, error))?);
    // Azure forgets parts that become no file after a week.
    Ok(Opened { store: store.clone(), signer: store, uploads: None, naming, parts_once: false })
}

fn google(place: &BucketPlace, naming: Naming) -> Result<Opened> {
    let requests = Requests { completes_once: false };
    let (options, keys) = settings::<GoogleConfigKey>(place)?;
    let mut builder = GoogleCloudStorageBuilder::new();
    for (key, value) in keys {
        builder = builder.with_config(key, value);
    }
    let builder = builder
        .with_bucket_name(&place.bucket)
        .with_client_options(options.clone())
        .with_retry(retries())
        .with_http_connector(requests);
    let store = Arc::new(builder.build().map_err(|error| unopened(place, error))?);
    let base = place.property("google_base_url").unwrap_or(GOOGLE);
    let uploads = UnfinishedUploads {
        client: connected(place, requests, &options)?,
        authority: match place.property("google_skip_signature") {
            Some("true") => Authority::Nobody,
            Some(_) | None => Authority::Google(store.credentials().clone()),
        },
        signer: store.clone(),
        base: Some(format!("{}/{}", base.trim_end_matches('/'), place.bucket)),
    };
    Ok(Opened { store: store.clone(), signer: store, uploads: Some(uploads), naming, parts_once: false })
}

/// The options of connections, and the other properties. What is not a property of a bucket is one of another program.
fn settings<K: FromStr + AsRef<str>>(place: &BucketPlace) -> Result<(ClientOptions, Vec<(K, String)>)> {
    let prefix = place.kind.properties();
    let mut options = ClientOptions::new().with_config(ClientConfigKey::Timeout, REQUEST);
    let mut keys = Vec::new();
    for (name, value) in &place.properties {
        let short = name.strip_prefix(prefix).unwrap_or(name);
        if short == "ca_bundle" {
            for certificate in trusted(place, value)? {
                options = options.with_root_certificate(certificate);
            }
        } else if let Ok(key) = short.parse::<ClientConfigKey>() {
            options = options.with_config(key, value);
        } else if let Ok(key) = name.parse::<K>()
            && !names_a_bucket(key.as_ref())
        {
            keys.push((key, value.clone()));
        }
    }
    Ok((options, keys))
}

/// Whether a property has the name of a bucket: the place has it.
fn names_a_bucket(key: &str) -> bool {
    matches!(key, "aws_bucket" | "azure_container_name" | "google_bucket")
}

/// The certificates of a PEM file, to be trusted beside the system's.
fn trusted(place: &BucketPlace, path: &str) -> Result<Vec<Certificate>> {
    let wrong = |error: &dyn Display| {
        Error::invalid(format!("{} cannot be opened: the certificates of {path}: {error}", place.shown()))
    };
    let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
    Certificate::from_pem_bundle(&pem).map_err(|error| wrong(&error))
}

fn retries() -> RetryConfig {
    RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRIED_FOR, ..RetryConfig::default() }
}

fn connected(place: &BucketPlace, requests: Requests, options: &ClientOptions) -> Result<HttpClient> {
    requests.connect(options).map_err(|error| unopened(place, error))
}

fn unopened(place: &BucketPlace, error: object_store::Error) -> Error {
    Error::invalid(format!(
        "{} cannot be opened: {error}; expected variables as the service's own programs read them ({})",
        place.shown(),
        place.kind.examples()
    ))
}
