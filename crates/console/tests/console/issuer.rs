//! Signing in at an issuer: which browser, which attempt, and what the pages say when it fails.

use crate::browser::Browser;
use muster_console::{IssuedToken, IssuerAnswer, IssuerFailure, OfferedIssuer, SignInAttempt, SignInIssuers};

const SESSION: &str = "__Host-muster-session";

/// An issuer that grants the token that the code names: `code=t-ann`. The one named `down` does not answer.
pub struct Issuer;

impl SignInIssuers for Issuer {
    fn offered(&self) -> Vec<OfferedIssuer> {
        let offered = |name: &str, title: &str| OfferedIssuer { name: name.into(), title: title.into() };
        vec![offered("corp", "Corp & Sons"), offered("down", "Down")]
    }

    fn begin<'a>(&'a self, issuer: &'a str, attempt: &'a SignInAttempt) -> IssuerAnswer<'a, String> {
        let address = format!("https://login.example/auth?state={}", attempt.state);
        Box::pin(async move { if issuer == "corp" { Ok(address) } else { Err(IssuerFailure::Unusable) } })
    }

    fn finish<'a>(
        &'a self,
        issuer: &'a str,
        attempt: &'a SignInAttempt,
        code: &'a str,
        iss: Option<&'a str>,
    ) -> IssuerAnswer<'a, IssuedToken> {
        assert_eq!((issuer, attempt.nonce.len(), attempt.verifier.len()), ("corp", 64, 64));
        let expires = "2026-03-02T10:00:00Z".parse().unwrap();
        let accepted = iss == Some("https://login.example") && code.starts_with("t-");
        let issued = accepted.then(|| IssuedToken { token: code.into(), expires });
        Box::pin(async move { issued.ok_or(IssuerFailure::Refused) })
    }

    fn sign_out_address<'a>(&'a self, _: &'a str) -> IssuerAnswer<'a, Option<String>> {
        Box::pin(async { Ok(Some("https://login.example/out".to_owned())) })
    }
}

/// Begins, and returns the state.
async fn begun(browser: &Browser, address: &str) -> String {
    let answer = browser.get(address).await;
    assert_eq!(answer.status, 303);
    let location = answer.header("location").to_owned();
    location.strip_prefix("https://login.example/auth?state=").unwrap().to_owned()
}

fn led_back(state: &str, code: &str) -> String {
    format!("/ui/sign-in/at/corp/answer?iss=https%3A%2F%2Flogin.example&state={state}&code={code}")
}

#[tokio::test]
async fn somebody_signs_in_at_the_issuer_and_out_again() {
    let browser = Browser::new();
    let page = browser.get("/ui/sign-in?next=%2Fui%2Fsources").await;
    page.has("Sign in with Corp &#38; Sons").has("/ui/sign-in/at/corp?next=%2Fui%2Fsources");
    let state = begun(&browser, "/ui/sign-in/at/corp?next=%2Fui%2Fsources").await;
    let answer = browser.get(&led_back(&state, "t-ann")).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/ui/sources"));
    assert_eq!(browser.stub.lines(), ["GET /muster/v1/caller"]);
    browser.get("/ui/new").await.has("ann.user").lacks("t-ann");
    // The session ends with the token, an hour after the sign-in.
    browser.wait(1_700);
    assert_eq!(browser.get("/ui/new").await.status, 200);
    browser.wait(1_700);
    assert_eq!(browser.get("/ui/new").await.status, 200);
    let out = browser.send("/ui/new", "/ui/sign-out", "").await;
    assert_eq!((out.status, out.header("location")), (303, "/ui/sign-in?left=corp"));
    assert_eq!(browser.cookie(SESSION), None);
    let page = browser.get("/ui/sign-in?left=corp").await;
    page.has("At Corp &#38; Sons you may still be signed in").has(r#"href="/ui/sign-out/at/corp""#);
    assert_eq!(browser.get("/ui/sign-out/at/corp").await.header("location"), "https://login.example/out");
}

#[tokio::test]
async fn a_session_ends_with_the_token_of_the_issuer() {
    let browser = Browser::new();
    let state = begun(&browser, "/ui/sign-in/at/corp").await;
    assert_eq!(browser.get(&led_back(&state, "t-app")).await.header("location"), "/ui/runs");
    for _ in 0..2 {
        browser.wait(1_790);
        assert_eq!(browser.get("/ui/new").await.status, 200);
    }
    browser.wait(20);
    assert_eq!(browser.get("/ui/new").await.status, 303);
}

#[tokio::test]
async fn what_belongs_to_no_attempt_of_this_browser_signs_nobody_in() {
    let (browser, other) = (Browser::new(), Browser::new());
    let state = begun(&browser, "/ui/sign-in/at/corp").await;
    begun(&other, "/ui/sign-in/at/corp").await;
    let unknown = "This sign-in was begun in another browser";
    // Tests number their secrets, so both browsers have the same; this one holds another.
    other.set_cookie("__Host-muster-attempt", "another");
    for (browser, address) in [
        (&other, led_back(&state, "t-ann")),
        (&browser, led_back("invented", "t-ann")),
        (&browser, led_back("", "t-ann")),
        (&browser, "/ui/sign-in/at/corp/answer?error=x&error_description=evil&state=invented".to_owned()),
        (&browser, "/ui/sign-in/at/corp/answer".to_owned()),
    ] {
        let answer = browser.get(&address).await;
        assert_eq!(answer.status, 403, "{address}");
        answer.has(unknown).lacks("evil");
        assert_eq!(browser.cookie(SESSION), None, "{address}");
    }
    assert_eq!(browser.get(&led_back(&state, "t-ann")).await.status, 303);
    browser.get(&led_back(&state, "t-ann")).await.has(unknown);
}

#[tokio::test]
async fn failures_are_told_in_words() {
    let browser = Browser::new();
    let answer = browser.get("/ui/sign-in/at/down").await;
    assert_eq!(answer.status, 502);
    answer.has("Down cannot be reached");
    assert_eq!(browser.get("/ui/sign-in/at/nobody").await.status, 404);

    let state = begun(&browser, "/ui/sign-in/at/corp").await;
    let denied = "/ui/sign-in/at/corp/answer?error=access_denied&error_description=%3Cb%3Eno&state=";
    let answer = browser.get(&format!("{denied}{state}")).await;
    assert_eq!(answer.status, 403);
    answer.has("Corp &#38; Sons did not sign you in: access_denied &#60;b&#62;no.");

    let state = begun(&browser, "/ui/sign-in/at/corp").await;
    let answer = browser.get(&led_back(&state, "bad")).await;
    assert_eq!(answer.status, 403);
    answer.has("What Corp &#38; Sons answered is not accepted here.");

    // A token of the issuer without any scope of ours.
    let state = begun(&browser, "/ui/sign-in/at/corp").await;
    let answer = browser.get(&led_back(&state, "t-none")).await;
    assert_eq!(answer.status, 403);
    answer.has("may do nothing here: the token lacks the scope");
    assert_eq!(browser.cookie(SESSION), None);
}
