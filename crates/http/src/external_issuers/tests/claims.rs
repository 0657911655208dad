//! What claims mean.

use super::*;
use muster_reports::caller::{CallerKind, DataScope, Scope, UserLevel};
use std::collections::BTreeMap;

fn tenant() -> TenantId {
    TenantId::new("acme")
}

fn usual() -> ClaimRules {
    ClaimRules::usual(TenantRule::Always(tenant()))
}

fn caller(rules: &ClaimRules, claims: Value) -> Result<Caller, &'static str> {
    rules.caller("corp", claims.as_object().unwrap()).map_err(|refusal| refusal.reason)
}

#[test]
fn a_user_has_a_name_levels_scopes_and_sources() {
    let claims = json!({
        "sub": "u-17", "azp": "portal", "preferred_username": "ada", "scp": ["sp:report:read", "mail"],
        "authorities": ["ORG_ADMIN", "GARDENER", "ORG_ADMIN"], "source_ids": "b a",
    });
    let caller = caller(&usual(), claims).unwrap();
    let user = caller.user.clone().unwrap();
    assert_eq!((user.id.as_str(), user.name.as_str()), ("u-17", "ada"));
    assert_eq!(user.levels, [UserLevel::OrgAdmin]);
    assert_eq!(caller.scopes, [Scope::ReportRead]);
    assert_eq!(caller.client.as_str(), "corp:portal");
    assert_eq!(caller.tenant, tenant());
    assert_eq!(caller.data_scope, DataScope::of_sources(["a", "b"]).unwrap());
}

#[test]
fn what_is_not_said_gives_no_right() {
    let caller = caller(&usual(), json!({"sub": "u-17", "azp": "portal"})).unwrap();
    let user = caller.user.unwrap();
    assert_eq!((user.name.as_str(), user.levels.as_slice()), ("u-17", &[UserLevel::User][..]));
    assert_eq!(caller.scopes, []);
}

#[test]
fn applications_are_told_from_users() {
    let kind = |rules: &ClaimRules, claims: Value| caller(rules, claims).map(|caller| caller.kind());
    let (user, application) = (Ok(CallerKind::User), Ok(CallerKind::Application));
    let portal = json!({"sub": "portal", "client_id": "portal"});
    let ada = json!({"sub": "ada", "client_id": "portal", "idtyp": "app"});
    let rules = |callers| ClaimRules { callers, ..usual() };
    assert_eq!(kind(&usual(), portal.clone()), application);
    assert_eq!(kind(&usual(), ada.clone()), user);
    assert_eq!(kind(&rules(CallerRule::Users), portal.clone()), user);
    assert_eq!(kind(&rules(CallerRule::Applications), ada.clone()), application);
    let by_claim = rules(CallerRule::Claim { claim: "idtyp".into(), value: "app".into() });
    assert_eq!(kind(&by_claim, ada), application);
    assert_eq!(kind(&by_claim, portal), user);
    // Without a client there is nothing to be equal to.
    assert_eq!(kind(&usual(), json!({"sub": "portal"})), Err("no claim of the token names a client"));
    assert_eq!(kind(&usual(), json!({"client_id": "portal"})), Err("no claim of the token names a user"));
}

#[test]
fn claims_may_have_other_names_and_places() {
    let mut rules = usual();
    rules.levels = vec!["/realm_access/roles".into(), "https://example.org/roles".into()];
    rules.level_names = BTreeMap::from([("reporting".to_owned(), UserLevel::ReportAdmin)]);
    rules.scope_names = BTreeMap::from([("reports.write".to_owned(), Scope::ReportManage)]);
    let base = json!({"sub": "u", "azp": "c", "scope": "reports.write sp:report:read x"});
    for roles in [
        json!({"realm_access": {"roles": ["reporting", "other"]}}),
        json!({"https://example.org/roles": "reporting"}),
    ] {
        let caller = caller(&rules, with(base.clone(), roles)).unwrap();
        assert_eq!(caller.user.unwrap().levels, [UserLevel::ReportAdmin]);
        assert_eq!(caller.scopes, [Scope::ReportManage, Scope::ReportRead]);
    }
}

#[test]
fn a_tenant_is_ours_or_stands_for_ours_or_is_refused() {
    let mut rules = usual();
    rules.tenant = TenantRule::Claim {
        claims: vec!["tenant_id".into(), "tid".into()],
        ours: vec![tenant()],
        names: BTreeMap::from([("0f-1".to_owned(), tenant())]),
    };
    let of = |claim: Value| caller(&rules, with(json!({"sub": "u", "azp": "c"}), claim)).map(|c| c.tenant);
    for claim in
        [json!({"tenant_id": "acme"}), json!({"tid": "0f-1"}), json!({"tenant_id": null, "tid": "acme"})]
    {
        assert_eq!(of(claim), Ok(tenant()));
    }
    assert_eq!(
        of(json!({"tenant_id": "umbrella"})),
        Err("the token's tenant is not a tenant of this service")
    );
    assert_eq!(
        of(json!({"tenant_id": "umbrella", "tid": "acme"})),
        Err("the token's tenant is not a tenant of this service")
    );
    assert_eq!(of(json!({"tenant_id": "ACME"})), Err("the token's tenant is not a tenant of this service"));
    assert_eq!(of(json!({"tenant_id": ["acme"]})), Err("the token's tenant is not a short text"));
    assert_eq!(of(json!({})), Err("no claim of the token names a tenant"));
    let TenantRule::Claim { names, .. } = &mut rules.tenant else { panic!("as set above") };
    names.insert("x".into(), TenantId::new("umbrella"));
    assert!(rules.check().unwrap_err().contains("umbrella"));
}

/// A claim of sources that is there and names none gives no row; only where there is none, all.
#[test]
fn sources_that_are_not_said_are_none() {
    let base = json!({"sub": "u", "azp": "c"});
    let none = DataScope::of_sources([]).unwrap();
    for claim in [Value::Null, json!([]), json!(""), json!("  ")] {
        let with_it = with(base.clone(), json!({"source_ids": claim}));
        assert_eq!(caller(&usual(), with_it).unwrap().data_scope, none, "{claim}");
    }
    assert_eq!(caller(&usual(), base.clone()).unwrap().data_scope, DataScope::Everything);
    for claim in [json!(false), json!(0), json!({}), json!({"a": "b"}), json!([null]), json!([["a"]])] {
        let with_it = with(base.clone(), json!({"source_ids": claim}));
        assert_eq!(caller(&usual(), with_it), Err("the token's sources are not a list of texts"), "{claim}");
    }
    let mut rules = usual();
    rules.sources = vec!["/access/sources".into(), "source_ids".into()];
    for (claims, expected) in [
        (json!({"access": null}), none.clone()),
        (json!({"access": "all"}), none.clone()),
        (json!({"access": {"sources": null}}), none.clone()),
        (json!({"access": {"sources": null}, "source_ids": "a"}), none.clone()),
        (json!({"access": {"roles": []}, "source_ids": "a"}), DataScope::of_sources(["a"]).unwrap()),
        (json!({"access": {"roles": []}}), DataScope::Everything),
    ] {
        let scope = caller(&rules, with(base.clone(), claims.clone())).unwrap().data_scope;
        assert_eq!(scope, expected, "{claims}");
    }
}

#[test]
fn claims_of_other_shapes_are_refused() {
    let long = "x".repeat(257);
    for (claim, reason) in [
        (json!({"azp": 5}), "the token's client is not a short text"),
        (json!({"azp": ""}), "the token's client is not a short text"),
        (json!({"azp": "a\nb"}), "the token's client is not a short text"),
        (json!({"azp": long}), "the token's client is not a short text"),
        (json!({"sub": {"a": 1}}), "the token's identity is not a short text"),
        (json!({"user_name": "\u{1b}[2J"}), "the token's user name is not a short text"),
        (json!({"scope": {"sp:scopes:all": true}}), "the token's scopes or levels are not a list of texts"),
        (json!({"scope": ["sp:scopes:all", 1]}), "the token's scopes or levels are not a list of texts"),
        (json!({"levels": true}), "the token's scopes or levels are not a list of texts"),
        (json!({"source_ids": 1}), "the token's sources are not a list of texts"),
        (json!({"source_ids": ["a; DROP"]}), "the token's sources are not valid source ids"),
        (
            json!({"source_ids": (0..201).map(|n| n.to_string()).collect::<Vec<_>>()}),
            "the token's sources are not valid source ids",
        ),
    ] {
        assert_eq!(caller(&usual(), with(json!({"sub": "u", "azp": "c"}), claim)), Err(reason));
    }
}
