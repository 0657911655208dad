//! The token endpoint: client credentials in every encoding that clients use (RFC 6749, section 4.4).

pub(crate) mod refused;
pub(crate) mod request;

use crate::access_tokens::lifetime_of;
use crate::failure::{Failure, json};
use crate::state::AppState;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::TimeDelta;
use muster_reports::Caller;
use muster_reports::caller::Scope;
use muster_reports::ids::ClientId;
use muster_reports::ports::Credential;
use muster_wire::{OAuthError, OAuthErrorCode, RateLimited, TokenAnswer};
use refused::{TokenRequestRefused, uncached};
use request::TokenRequest;
use utoipa::ToSchema;

/// Fields of a token request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only the schema is used: the request is read by hand, from three encodings")]
pub(crate) struct TokenForm {
    /// `client_credentials`, in any case; may stand in the query.
    grant_type: String,
    /// The client; left out with HTTP Basic.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// Its secret; left out with HTTP Basic.
    #[schema(nullable = false, format = Password)]
    client_secret: Option<String>,
    /// Scopes to grant, separated by spaces; all of the client's when left out, and for `sp:scopes:default`. Scopes of
    /// other services are passed over.
    #[schema(nullable = false)]
    scope: Option<String>,
}

/// Get an access token
///
/// Grants a token to a personal access token or an application client, whose id and secret stand in the
/// body or in HTTP Basic.
#[utoipa::path(
    post,
    path = "/oauth/token",
    operation_id = "createToken",
    tag = "Authentication",
    params(("grant_type" = Option<String>, Query, description = "`client_credentials`, where it is not in the body.")),
    request_body(
        content(
            (TokenForm = "application/x-www-form-urlencoded"),
            (TokenForm = "multipart/form-data"),
        ),
        description = "The client's credentials.",
    ),
    responses(
        (status = 200, description = "The token.", body = TokenAnswer),
        (status = 400, description = "The request is wrong.", body = OAuthError),
        (status = 401, description = "The client is not known, or its secret is wrong.", body = OAuthError),
        (status = 408, description = "The body did not arrive in time.", body = muster_wire::ErrorResponseDto),
        (status = 413, description = "The body is too large.", body = muster_wire::ErrorResponseDto),
        (status = 415, description = "The body is compressed.", body = muster_wire::ErrorResponseDto),
        (
            status = 429,
            description = "Too many requests; Retry-After says when to come back.",
            body = RateLimited,
            headers(("Retry-After" = i64, description = "Seconds to wait.")),
        ),
        (status = 500, description = "A fault of the service.", body = muster_wire::ErrorResponseDto),
    ),
)]
pub(crate) async fn create_token(
    State(state): State<AppState>,
    request: Request,
) -> Result<Response, TokenRequestRefused> {
    let (parts, body) = request.into_parts();
    let request = TokenRequest::read(&state, &parts, body).await?;
    let (caller, lifetime) = authenticate(&state, &request).await?;
    tracing::Span::current().record("client", caller.client.as_str());
    let caller = Caller { scopes: granted(&caller.scopes, request.scope.as_deref())?, ..caller };
    let answer = token_answer(&state, &caller, lifetime)?;
    Ok(uncached(json(StatusCode::OK, &answer)))
}

/// Longest client id, in bytes.
const CLIENT_ID_BYTES_MAX: usize = 256;

/// The caller with this client id and secret, and how long its tokens are valid. An unknown client causes the same
/// work and the same answer.
async fn authenticate(
    state: &AppState,
    request: &TokenRequest,
) -> Result<(Caller, TimeDelta), TokenRequestRefused> {
    // The id is counted below, so it must be short. No client has a longer one.
    if request.client_id.len() > CLIENT_ID_BYTES_MAX {
        return Err(TokenRequestRefused::client());
    }
    let now = state.clock().now();
    let client = ClientId::new(request.client_id.as_str());
    let kept = state.inner().wiring.credentials.credential(&client).await?;
    let hash = kept.as_ref().map_or([0; 32], |kept| kept.secret_hmac);
    let matches = state.inner().wiring.secret_key.matches(&request.client_secret, &hash);
    match kept {
        Some(Credential { caller, enabled: true, token_lifetime_s, .. }) if matches => {
            let limited = state.inner().tokens.admit(client, now);
            limited.map_err(Failure::rate_limited)?;
            // Whoever has the secret may know it.
            caller.check_end(now).map_err(|error| {
                TokenRequestRefused::OAuth(OAuthErrorCode::UnauthorizedClient, error.message)
            })?;
            let own = token_lifetime_s.map(|seconds| TimeDelta::seconds(seconds.into()));
            let lifetime = own.unwrap_or(state.settings().token_lifetime);
            let lifetime = lifetime_of(&caller, now, lifetime);
            Ok((caller, lifetime))
        }
        Some(_) | None => {
            let limited = state.inner().token_failures.admit(client, now);
            limited.map_err(Failure::rate_limited)?;
            Err(TokenRequestRefused::client())
        }
    }
}

/// Every scope that the client has.
const DEFAULT_SCOPE: &str = "sp:scopes:default";

/// The scopes to grant: those asked for, all of which the client must have. Scopes of other services, which the
/// published clients also ask for, are ignored; a request for nothing else is refused.
pub(crate) fn granted(held: &[Scope], asked: Option<&str>) -> Result<Vec<Scope>, TokenRequestRefused> {
    let mut asked = asked.unwrap_or_default().split_whitespace().peekable();
    if asked.peek().is_none() {
        return Ok(held.to_vec());
    }
    let refuse = |text: String| TokenRequestRefused::OAuth(OAuthErrorCode::InvalidScope, text);
    let mut scopes = Vec::new();
    for text in asked {
        if text == DEFAULT_SCOPE {
            scopes.extend(held.iter().filter(|scope| !scopes.contains(*scope)).copied().collect::<Vec<_>>());
            continue;
        }
        let Ok(scope) = text.parse::<Scope>() else { continue };
        let covered = held.contains(&scope)
            || held.contains(&Scope::All)
            || (scope == Scope::ReportRead && held.contains(&Scope::ReportManage))
            || (scope == Scope::TaskManagementRead && held.contains(&Scope::TaskManagementWrite))
            || (scope == Scope::IdentityHistoryRead && held.contains(&Scope::IdentityHistoryManage));
        if !covered {
            return Err(refuse(format!("the client does not have the scope {}", scope.as_str())));
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        // RFC 6749 does not permit quotes in a description, nor every character that a scope may have here.
        let known = Scope::ALL.map(Scope::as_str).join(", ");
        return Err(refuse(format!(
            "scope names no known scope: expected one or more of {known}, {DEFAULT_SCOPE}"
        )));
    }
    Ok(scopes)
}

fn token_answer(state: &AppState, caller: &Caller, lifetime: TimeDelta) -> Result<TokenAnswer, Failure> {
    let (settings, wiring) = (state.settings(), &state.inner().wiring);
    let jti = wiring.ids.fresh();
    let scopes: Vec<_> = caller.scopes.iter().map(|scope| scope.as_str()).collect();
    Ok(TokenAnswer {
        access_token: wiring.issuer.issue(caller, &jti, wiring.clock.now(), lifetime)?,
        token_type: "bearer".into(),
        expires_in: lifetime.num_seconds(),
        scope: scopes.join(" "),
        tenant_id: caller.tenant.as_str().to_owned(),
        org: settings.org.clone(),
        pod: settings.pod.clone(),
        identity_id: caller.user.as_ref().map(|user| user.id.clone()),
        user_name: caller.user.as_ref().map(|user| user.name.clone()),
        strong_auth: false,
        strong_auth_supported: false,
        jti,
    })
}
