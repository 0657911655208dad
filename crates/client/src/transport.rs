//! Sending requests: addresses, bearer token, one renewal after a 401.

use crate::configuration::{ApiVersion, Configuration};
use crate::error::{Error, Refusal};
use crate::retry::{Repeat, Wait, retried};
use crate::token::Tokens;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;

/// Where the operations are that the published API does not have.
const OWN: [&str; 2] = ["muster", "v1"];

pub(crate) struct Transport {
    pub(crate) http: Client,
    pub(crate) wait: Wait,
    base: Url,
    version: ApiVersion,
    tokens: Tokens,
}

impl Transport {
    pub(crate) fn new(configuration: Configuration) -> Result<Self, Error> {
        let base = Url::parse(configuration.base_url.trim_end_matches('/'))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| {
                Error::Configuration(format!(
                    "base_url is {:?}: expected https://host, with or without a path",
                    configuration.base_url
                ))
            })?;
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
        let tokens = Tokens::new(extended(&base, &["oauth", "token"])?, configuration.credentials);
        Ok(Self {
            http,
            wait: Wait { retries_max: configuration.retries_max, wait_max: configuration.retry_wait_max },
            base,
            version: configuration.version,
            tokens,
        })
    }

    /// The address of a published operation; each segment is encoded.
    pub(crate) fn url(&self, collection: &str, segments: &[&str]) -> Result<Url, Error> {
        extended(&self.base, &[&self.version.segments(collection), segments].concat())
    }

    /// The address of an operation that only Muster has; each segment is encoded.
    pub(crate) fn own_url(&self, segments: &[&str]) -> Result<Url, Error> {
        extended(&self.base, &[&OWN, segments].concat())
    }

    /// Gets an access token unless there is one.
    pub(crate) async fn authenticate(&self) -> Result<(), Error> {
        self.tokens.token(&self.http, &self.wait, None).await.map(drop)
    }

    /// Sends what `build` makes, and answers a success or a refusal.
    pub(crate) async fn send(
        &self,
        repeat: Repeat,
        build: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response, Error> {
        let mut token = self.tokens.token(&self.http, &self.wait, None).await?;
        let mut response =
            retried(&self.wait, repeat, || build(&self.http).bearer_auth(&token).send()).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.tokens.renewable() {
            token = self.tokens.token(&self.http, &self.wait, Some(&token)).await?;
            response = retried(&self.wait, repeat, || build(&self.http).bearer_auth(&token).send()).await?;
        }
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.map_err(Error::transport)?;
        Err(Error::Refused(Refusal::read(status, &headers, &body)))
    }

    /// Sends as [`Self::send`] does, and reads the JSON of the answer.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        repeat: Repeat,
        build: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<T, Error> {
        json(self.send(repeat, build).await?).await
    }
}

pub(crate) async fn json<T: DeserializeOwned>(response: Response) -> Result<T, Error> {
    let body = response.bytes().await.map_err(Error::transport)?;
    serde_json::from_slice(&body)
        .map_err(|error| Error::Answer(format!("line {}, column {}: {error}", error.line(), error.column())))
}

/// A segment that is empty or means a folder would lead to another operation.
fn extended(base: &Url, segments: &[&str]) -> Result<Url, Error> {
    if let Some(wrong) = segments.iter().find(|segment| matches!(**segment, "" | "." | "..")) {
        return Err(Error::Argument(format!("an id or a name is {wrong:?}: expected another")));
    }
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::configuration::Credentials;

    fn transport(base: &str) -> Result<Transport, Error> {
        Transport::new(Configuration::new(base, Credentials::token("t")))
    }

    #[test]
    fn addresses_are_the_same_with_and_without_a_slash() {
        for base in ["https://host/api", "https://host/api/", "https://host/api//"] {
            let transport = transport(base).unwrap();
            let url = |segments: &[&str]| transport.url("reports", segments).unwrap();
            assert_eq!(url(&["run"]).as_str(), "https://host/api/reports/v1/run");
            assert_eq!(url(&["../x y", "result"]).as_str(), "https://host/api/reports/v1/..%2Fx%20y/result");
            let own = transport.own_url(&["reports", "a b", "run"]).unwrap();
            assert_eq!(own.as_str(), "https://host/api/muster/v1/reports/a%20b/run");
        }
        assert_eq!(
            transport("http://host").unwrap().url("search", &[]).unwrap().as_str(),
            "http://host/search/v1"
        );
    }

    #[test]
    fn versions_have_their_paths() {
        for (version, path) in [
            (ApiVersion::V1, "/saved-searches/v1/x"),
            (ApiVersion::V3, "/v3/saved-searches/x"),
            (ApiVersion::V2024, "/v2024/saved-searches/x"),
            (ApiVersion::V2025, "/v2025/saved-searches/x"),
            (ApiVersion::V2026, "/v2026/saved-searches/x"),
        ] {
            let configuration =
                Configuration::new("https://host", Credentials::token("t")).with_version(version);
            let url = Transport::new(configuration).unwrap().url("saved-searches", &["x"]).unwrap();
            assert_eq!(url.path(), path);
        }
    }

    #[test]
    fn an_id_that_leads_elsewhere_is_refused() {
        for id in ["", ".", ".."] {
            let refused = transport("https://host").unwrap().url("saved-searches", &[id]);
            assert!(matches!(refused, Err(Error::Argument(_))), "{id}");
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        for pem in [&b""[..], b"text", b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n"] {
            let configuration =
                Configuration::new("https://host", Credentials::token("t")).with_trusted_pem(pem);
            assert!(matches!(Transport::new(configuration), Err(Error::Configuration(_))));
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for base in ["", "host:8080", "ftp://host"] {
            assert!(matches!(transport(base), Err(Error::Configuration(_))), "{base}");
        }
    }
}
