//! Access tokens of our own.

use super::now;
use crate::access::bearer;
use crate::access_tokens::{TokenIssuer, TokenRefused};
use axum::http::HeaderValue;
use chrono::TimeDelta;
use muster_reports::Caller;
use muster_reports::caller::{DataScope, Scope, UserIdentity, UserLevel};
use muster_reports::ids::{ClientId, TenantId};
use std::sync::LazyLock;

/// The issuer, and each token that it ever issued with what it must give.
struct Issued {
    issuer: TokenIssuer,
    tokens: Vec<(String, Result<Caller, TokenRefused>)>,
}

static ISSUED: LazyLock<Issued> = LazyLock::new(|| {
    let issuer = TokenIssuer::new(&[7; 32]).expect("any 32 bytes are a key");
    let application = Caller {
        tenant: TenantId::new("acme"),
        client: ClientId::new("c1"),
        user: None,
        scopes: vec![Scope::ReportManage],
        data_scope: DataScope::Everything,
        trace: None,
    };
    let user =
        UserIdentity { id: "i1".into(), name: "ada".into(), levels: vec![UserLevel::OrgAdmin], audit: None };
    let person = Caller { user: Some(user), scopes: vec![Scope::All], ..application.clone() };
    let token = |caller: &Caller, seconds| {
        let lifetime = TimeDelta::seconds(seconds);
        issuer.issue(caller, "j1", now(), lifetime).expect("claims can be signed")
    };
    let tokens = vec![
        (token(&application, 60), Ok(application.clone())),
        (token(&application, 0), Err(TokenRefused::Expired)),
        (token(&person, 60), Ok(person.clone())),
    ];
    Issued { issuer, tokens }
});

/// The value of an `Authorization` header.
///
/// A token is accepted if and only if it was issued and has not expired. Only a token that was issued is refused as
/// expired.
pub fn own_token(data: &[u8]) {
    let Ok(header) = HeaderValue::from_bytes(data) else { return };
    let Ok(token) = bearer(&header) else { return };
    let issued = ISSUED.tokens.iter().find(|(text, _)| text == token);
    let expected = issued.map_or(Err(TokenRefused::Invalid), |(_, expected)| expected.clone());
    assert_eq!(ISSUED.issuer.verify(token, now()), expected, "{token}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Otherwise fuzzing would begin with forgeries alone.
    #[test]
    fn every_issued_token_is_among_the_kept_inputs() {
        for (token, _) in &ISSUED.tokens {
            let found = Cell::new(false);
            let wanted = format!("Bearer {token}");
            muster_testkit::corpus::replay("own_token", |input| {
                found.set(found.get() || input == wanted.as_bytes());
            });
            assert!(found.get(), "no kept input is {wanted}");
        }
    }
}
