//! Files of the API, passed through as they are: the access token stays here, and a download is recorded as any other.

use crate::api::encoded;
use crate::problem::Problem;
use crate::visitor::Visitor;
use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH, IF_RANGE,
    LAST_MODIFIED, RANGE, REFERRER_POLICY,
};
use axum::response::Response;

/// What is passed on to the API.
const ASKED: [HeaderName; 4] = [RANGE, IF_RANGE, IF_MATCH, IF_NONE_MATCH];
/// What is passed back.
const ANSWERED: [HeaderName; 11] = [
    ACCEPT_RANGES,
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_SECURITY_POLICY,
    CONTENT_TYPE,
    ETAG,
    LAST_MODIFIED,
    REFERRER_POLICY,
    HeaderName::from_static("repr-digest"),
];

fn some_of(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let kept = names.iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone())));
    kept.collect()
}

/// A file at an address of the API.
pub(crate) async fn passed(
    visitor: &Visitor,
    address: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let mut asked = some_of(headers, &ASKED);
    // The pages' policy lets a browser load nothing from another place.
    asked.insert("prefer", HeaderValue::from_static("return=representation"));
    let mut response = visitor.api.stream(address, asked).await?;
    let mut kept = some_of(response.headers(), &ANSWERED);
    // A file is never a page of this console. A page that the API makes has a policy of its own.
    kept.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static("default-src 'none'; sandbox"));
    *response.headers_mut() = kept;
    Ok(response)
}

/// A file of a run. A person's download is always recorded in the audit trail.
pub(crate) async fn file(
    visitor: Visitor,
    Path((id, format)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let address = format!("/muster/v1/reports/{}/files/{}?auditable=true", encoded(&id), encoded(&format));
    passed(&visitor, &address, &headers).await
}

/// The evidence package of a run.
pub(crate) async fn evidence(
    visitor: Visitor,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    passed(&visitor, &format!("/muster/v1/reports/{}/evidence", encoded(&id)), &headers).await
}

/// The public key of evidence packages.
pub(crate) async fn evidence_key(visitor: Visitor, headers: HeaderMap) -> Result<Response, Problem> {
    passed(&visitor, "/muster/v1/evidence-key", &headers).await
}

/// The cover of a run.
pub(crate) async fn cover(
    visitor: Visitor,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    passed(&visitor, &format!("/reports/v1/{}/cover", encoded(&id)), &headers).await
}
