//! Sending requests: addresses, bearer token, one renewal after a 401.

use crate::configuration::Configuration;
use crate::error::{Error, Refusal};
use crate::retry::{Wait, retried};
use crate::token::Tokens;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, Url};

/// Where the operations are that the published API has not.
const EXTENSIONS_PATH: &str = "muster/v1/reports";

/// Where the list of results is.
const RESULTS_PATH: &str = "muster/v1/results";

/// Where the key of evidence packages is.
const EVIDENCE_KEY_PATH: &str = "muster/v1/evidence-key";

pub(crate) struct Transport {
    pub(crate) http: Client,
    pub(crate) wait: Wait,
    reports: Url,
    extensions: Url,
    pub(crate) results: Url,
    evidence_key: Url,
    tokens: Tokens,
}

impl Transport {
    pub(crate) fn new(configuration: Configuration) -> Result<Self, Error> {
        let base = configuration.base_url.trim_end_matches('/');
        let url = |path: &str| {
            Url::parse(&format!("{base}/{}", path.trim_matches('/')))
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https"))
                .ok_or_else(|| {
                    Error::Configuration(format!(
                        "base_url is {:?}: expected https://host, with or without a path",
                        configuration.base_url
                    ))
                })
        };
        let mut http = Client::builder()
            .user_agent(&configuration.user_agent)
            .connect_timeout(configuration.connect_timeout)
            .read_timeout(configuration.read_timeout)
            // A token goes to the service it is for and nowhere else.
            .redirect(Policy::none());
        if let Some(pem) = &configuration.trusted_pem {
            let certificates = Certificate::from_pem_bundle(pem).unwrap_or_default();
            if certificates.is_empty() {
                return Err(Error::Configuration("trusted_pem has no certificate in PEM".into()));
            }
            http = http.tls_certs_only(certificates);
        }
        let http = http
            .build()
            .map_err(|error| Error::Configuration(format!("the settings give no HTTP client: {error}")))?;
        Ok(Self {
            http,
            wait: Wait { retries_max: configuration.retries_max, wait_max: configuration.retry_wait_max },
            reports: url(&configuration.reports_path)?,
            extensions: url(EXTENSIONS_PATH)?,
            results: url(RESULTS_PATH)?,
            evidence_key: url(EVIDENCE_KEY_PATH)?,
            tokens: Tokens::new(url("oauth/token")?, configuration.credentials),
        })
    }

    /// The address of a report operation; each segment is encoded.
    pub(crate) fn url(&self, segments: &[&str]) -> Url {
        extended(&self.reports, segments)
    }

    /// The address of an operation that only Muster has; each segment is encoded.
    pub(crate) fn extension_url(&self, segments: &[&str]) -> Url {
        extended(&self.extensions, segments)
    }

    /// The address of the key of evidence packages.
    pub(crate) fn evidence_key_url(&self) -> Url {
        self.evidence_key.clone()
    }

    /// Sends what `build` makes, and answers a success or a refusal.
    pub(crate) async fn send(&self, build: impl Fn(&Client) -> RequestBuilder) -> Result<Response, Error> {
        let mut token = self.tokens.token(&self.http, &self.wait, None).await?;
        let mut response = retried(&self.wait, || build(&self.http).bearer_auth(&token).send()).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.tokens.renewable() {
            token = self.tokens.token(&self.http, &self.wait, Some(&token)).await?;
            response = retried(&self.wait, || build(&self.http).bearer_auth(&token).send()).await?;
        }
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.map_err(Error::transport)?;
        Err(Error::Refused(Refusal::read(status, &headers, &body)))
    }
}

fn extended(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.extend(segments);
    }
    url
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::configuration::Credentials;

    #[test]
    fn addresses_are_the_same_with_and_without_a_slash() {
        for base in ["https://host/api", "https://host/api/", "https://host/api//"] {
            let configuration = Configuration::new(base, Credentials::Token("t".into()));
            let transport = Transport::new(configuration).unwrap();
            assert_eq!(transport.url(&["run"]).as_str(), "https://host/api/reports/v1/run");
            assert_eq!(
                transport.url(&["../x y", "result"]).as_str(),
                "https://host/api/reports/v1/..%2Fx%20y/result"
            );
            assert_eq!(
                transport.extension_url(&["a b", "run"]).as_str(),
                "https://host/api/muster/v1/reports/a%20b/run"
            );
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        for pem in [&b""[..], b"text", b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n"] {
            let configuration = Configuration {
                trusted_pem: Some(pem.to_vec()),
                ..Configuration::new("https://host", Credentials::Token("t".into()))
            };
            assert!(matches!(Transport::new(configuration), Err(Error::Configuration(_))));
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for base in ["", "host:8080", "ftp://host"] {
            let configuration = Configuration::new(base, Credentials::Token("t".into()));
            assert!(matches!(Transport::new(configuration), Err(Error::Configuration(_))), "{base}");
        }
    }
}
