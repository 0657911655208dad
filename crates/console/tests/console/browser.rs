//! A browser as far as the tests need one: it keeps cookies and sends forms.

use crate::issuer::Issuer;
use crate::stub::Stub;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::BodyExt;
use muster_console::{ConsoleSettings, OneTimeSignIn, with_console};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that the page has a text, and gives the page back.
    #[track_caller]
    pub fn has(&self, text: &str) -> &Self {
        assert!(self.body.contains(text), "{text} is not in {}", self.body);
        self
    }

    #[track_caller]
    pub fn lacks(&self, text: &str) -> &Self {
        assert!(!self.body.contains(text), "{text} is in {}", self.body);
        self
    }

    /// The token of its forms.
    pub fn form_token(&self) -> String {
        let mark = r#"name="form-token" value=""#;
        let at = self.body.find(mark).expect("the page has a form") + mark.len();
        self.body[at..].split('"').next().unwrap().to_owned()
    }
}

/// A browser, and the console that it looks at.
pub struct Browser {
    pub stub: Stub,
    pub stopping: CancellationToken,
    seconds: Arc<AtomicI64>,
    router: Router,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    pub fn new() -> Self {
        let (stub, stopping) = (Stub::new(), CancellationToken::new());
        let (seconds, made) = (Arc::new(AtomicI64::new(0)), AtomicU64::new(0));
        let ticking = Arc::clone(&seconds);
        let settings = ConsoleSettings {
            now: Arc::new(move || -> DateTime<Utc> {
                let start: DateTime<Utc> = "2026-03-02T09:00:00Z".parse().unwrap();
                start + TimeDelta::seconds(ticking.load(Ordering::SeqCst))
            }),
            fresh: Arc::new(move || format!("{:032x}", made.fetch_add(1, Ordering::SeqCst) + 0xabc)),
            idle: TimeDelta::minutes(30),
            longest: TimeDelta::hours(8),
            page_timeout: Duration::from_secs(30),
            stopping: stopping.clone(),
            issuers: Arc::new(Issuer),
            one_time: Some(OneTimeSignIn {
                code: "c0de".into(),
                client_id: "ann".into(),
                client_secret: "right".into(),
            }),
        };
        let router = with_console(stub.router(), settings);
        Self { stub, stopping, seconds, router, cookies: Mutex::default() }
    }

    /// A browser in which somebody has signed in.
    pub async fn signed_in() -> Self {
        Self::signed_in_as("ann").await
    }

    pub async fn signed_in_as(client: &str) -> Self {
        let browser = Self::new();
        let token = browser.get("/ui/sign-in").await.form_token();
        let form = format!("form-token={token}&client-id={client}&client-secret=right&next=");
        assert_eq!(browser.post("/ui/sign-in", &form).await.status, 303);
        browser.stub.lines();
        browser
    }

    /// Lets time pass.
    pub fn wait(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    pub async fn get(&self, address: &str) -> Answer {
        self.ask("GET", address, &[], String::new()).await
    }

    pub async fn post(&self, address: &str, form: &str) -> Answer {
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        self.ask("POST", address, &headers, form.to_owned()).await
    }

    /// Sends a form with the token of the page at `address`.
    pub async fn send(&self, page: &str, action: &str, form: &str) -> Answer {
        let token = self.get(page).await.form_token();
        self.stub.lines();
        self.post(action, &format!("form-token={token}&{form}")).await
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.into(), value.into());
    }

    pub async fn ask(&self, method: &str, address: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(address).header("host", "console.example");
        let cookies: Vec<_> =
            self.cookies.lock().unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        for text in parts.headers.get_all("set-cookie") {
            self.keep(text.to_str().unwrap());
        }
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Keeps a cookie as a browser would that holds to the rules of `__Host-`.
    fn keep(&self, text: &str) {
        let mut parts = text.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let attributes: Vec<_> = parts.collect();
        assert!(name.starts_with("__Host-"), "{text}");
        for needed in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
            assert!(attributes.contains(&needed), "{text}");
        }
        assert!(!text.contains("Domain"), "{text}");
        let mut cookies = self.cookies.lock().unwrap();
        if attributes.contains(&"Max-Age=0") {
            cookies.remove(name);
        } else {
            cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}
