//! An API of canned answers that remembers what it was asked.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// A request as the API got it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method and address.
    pub line: String,
    pub authorization: String,
    pub body: String,
}

/// What is answered: status, headers, body.
#[derive(Debug, Clone)]
pub struct Canned {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

pub fn ok(body: &Value) -> Canned {
    Canned { status: 200, headers: vec![("content-type", "application/json".into())], body: body.to_string() }
}

pub fn refused(status: u16, cause: &str) -> Canned {
    let body = json!({"detailCode": "x", "trackingId": "0123", "causes": [{"text": cause}], "messages": []});
    Canned { status, ..ok(&body) }
}

#[derive(Default)]
struct Inner {
    canned: HashMap<String, Canned>,
    asked: Vec<Asked>,
}

/// The API.
#[derive(Clone, Default)]
pub struct Stub(Arc<Mutex<Inner>>);

impl Stub {
    /// An API that grants the token `t-ann` to the secret `right`.
    pub fn new() -> Self {
        let stub = Self::default();
        stub.says("GET /muster/v1/reports", ok(&json!([accounts(), search()])));
        stub.says(
            "GET /muster/v1/sources",
            ok(&json!([
                {"id": "s1", "name": "HR", "authoritative": true},
                {"id": "s2", "name": "Active Directory", "authoritative": false},
            ])),
        );
        stub
    }

    /// Answers this method and path, whatever the query.
    pub fn says(&self, line: &str, canned: Canned) {
        self.0.lock().unwrap().canned.insert(line.to_owned(), canned);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.0.lock().unwrap().asked.clone()
    }

    /// The lines of what was asked since the last time.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.drain(..).map(|asked| asked.line).collect()
    }

    pub fn router(&self) -> Router {
        let stub = self.clone();
        Router::new().fallback(move |request: Request| {
            let stub = stub.clone();
            async move { stub.answer(request).await }
        })
    }

    async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        assert_eq!(parts.headers.get_all(HOST).iter().count(), 1, "the API wants one host");
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let text = |name| parts.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let line = format!("{} {}", parts.method, parts.uri);
        let path = format!("{} {}", parts.method, parts.uri.path());
        let canned = match path.as_str() {
            "POST /oauth/token" => {
                assert_eq!(text(CONTENT_TYPE), "application/x-www-form-urlencoded");
                token(&body)
            }
            "GET /muster/v1/caller" => caller(&text(AUTHORIZATION)),
            _ => self
                .0
                .lock()
                .unwrap()
                .canned
                .get(&path)
                .cloned()
                .unwrap_or_else(|| refused(404, "there is no such route")),
        };
        let asked = Asked { line, authorization: text(AUTHORIZATION), body };
        self.0.lock().unwrap().asked.push(asked);
        let mut response = Response::builder().status(canned.status);
        for (name, value) in canned.headers {
            response = response.header(name, value);
        }
        response.body(Body::from(canned.body)).unwrap()
    }
}

fn token(body: &str) -> Canned {
    let granted = |user: Value, token: &str, scope: &str| {
        ok(
            &json!({"access_token": token, "token_type": "bearer", "expires_in": 43_200, "scope": scope, "user_name": user}),
        )
    };
    match body {
        "grant_type=client_credentials&client_id=ann&client_secret=right" => {
            granted(json!("ann.user"), "t-ann", "sp:scopes:all")
        }
        "grant_type=client_credentials&client_id=app&client_secret=right" => {
            granted(Value::Null, "t-app", "sp:report:manage")
        }
        "grant_type=client_credentials&client_id=kim&client_secret=right" => {
            granted(json!("kim.audit"), "t-kim", "sp:scopes:all")
        }
        "grant_type=client_credentials&client_id=gone&client_secret=right" => {
            let told = "the auditor's access has ended at 2026-01-31T23:59:59+00:00";
            let body = json!({"error": "unauthorized_client", "error_description": told});
            Canned { status: 400, ..ok(&body) }
        }
        _ => Canned { status: 401, ..ok(&json!({"error": "invalid_client", "error_description": "no"})) },
    }
}

/// Who the tokens are of.
fn caller(authorization: &str) -> Canned {
    let (name, user, scope) = match authorization {
        "Bearer t-ann" => ("ann.user", true, "sp:scopes:all"),
        "Bearer t-app" => ("app", false, "sp:report:manage"),
        "Bearer t-kim" => ("kim.audit", true, "sp:scopes:all"),
        "Bearer t-none" => return refused(403, "the token lacks the scope sp:report:manage"),
        _ => return Canned { status: 401, ..ok(&json!({"error": "JWT is not valid"})) },
    };
    let levels = match name {
        "ann.user" => json!(["ORG_ADMIN"]),
        "kim.audit" => json!(["AUDITOR"]),
        _ => json!([]),
    };
    let mut who = json!({"client": "c", "name": name, "user": user, "levels": levels, "scopes": [scope]});
    if name == "kim.audit" {
        who["auditor"] = json!({
            "from": "2025-01-01T00:00:00.000Z", "to": "2025-12-31T23:59:59.999Z", "reports": ["ACCOUNTS"],
            "ends": "2026-03-31T23:59:59.999Z",
        });
    }
    ok(&who)
}

fn argument(name: &str, kind: &str, required: bool) -> Value {
    json!({"name": name, "type": kind, "expected": "x", "required": required, "default": null, "allowed": null, "meaning": "What it means."})
}

fn accounts() -> Value {
    json!({
        "id": "ACCOUNTS", "version": 1, "name": "Account Export", "description": "Accounts of one source.", "builtIn": true,
        "row": "an account", "digest": "d", "formats": ["CSV", "PDF"], "columns": [], "attributeColumns": null,
        "arguments": [argument("application", "source_id", true), argument("sourceName", "source_name", true)],
    })
}

fn search() -> Value {
    json!({
        "id": "SEARCH_EXPORT", "version": 1, "name": "Search Export", "description": "What a search finds.", "builtIn": true,
        "row": "a document", "digest": "d", "formats": ["CSV"], "columns": [], "attributeColumns": null,
        "arguments": [argument("query", "query", true)],
    })
}

/// A task of the list.
pub fn task(id: &str, name: &str, status: Option<&str>) -> Value {
    json!({
        "id": id, "type": "QUARTZ", "uniqueName": name, "description": "", "parentName": null, "launcher": "ann.user",
        "created": "2026-03-02T09:00:00.000Z", "modified": null, "launched": "2026-03-02T09:00:01.000Z",
        "completed": status.map(|_| "2026-03-02T09:00:03.500Z"), "completionStatus": status, "messages": [], "returns": [],
        "attributes": {}, "progress": "500 of 2000 rows written", "percentComplete": 25,
    })
}

/// The total of a list.
pub fn counted(body: &Value, total: u64) -> Canned {
    let mut canned = ok(body);
    canned.headers.push(("x-total-count", total.to_string()));
    canned
}
