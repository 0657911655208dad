//! An emulator of an Identity Security Cloud tenant on loopback, written from its published OpenAPI documents: tokens
//! that expire, lists that page, sort, filter and count within the published limits, and faults as a test tells them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// The API client and its secret; no error may show the secret.
pub const CLIENT: &str = "client-1";
pub const SECRET: &str = "s3cret+of&the client";
/// The source that holds most accounts.
pub const SOURCE: &str = "2c91808568c529c60168cca6f90c1324";

/// Most elements on a page, and most places that a search-backed list knows.
const LIMIT_MAX: usize = 250;
const WINDOW: usize = 10_000;

/// What the tenant holds, and how it behaves.
#[derive(Default)]
pub struct Data {
    pub sources: Vec<Value>,
    /// Schemas by source id.
    pub schemas: BTreeMap<String, Value>,
    pub accounts: Vec<Value>,
    pub identities: Vec<Value>,
    pub identity_profiles: Vec<Value>,
    /// Lifecycle states by the id of their identity profile.
    pub lifecycle_states: BTreeMap<String, Value>,
    pub transforms: Vec<Value>,
    /// Documents by index.
    pub documents: BTreeMap<String, Vec<Value>>,
    /// The list of accounts is search-backed: it refuses places beyond its window and knows `searchAfter`.
    pub search_backed: bool,
    /// Requests that a token is good for; without number when 0.
    pub token_requests: usize,
    /// Leaves `X-Total-Count` out.
    pub uncounted: bool,
    /// Gives pages of this many elements at most, whatever the limit says.
    pub page_cap: Option<usize>,
}

/// A request as a script sees it.
pub struct Asked {
    /// Its number among those that are not for tokens, from 0.
    pub number: usize,
    /// The path below the version, such as `/accounts`.
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub body: Value,
}

impl Asked {
    fn count(&self, name: &str, default: usize) -> Result<usize, String> {
        let Some(text) = self.query.get(name) else { return Ok(default) };
        text.parse().map_err(|_| format!("{name} is not a number"))
    }
}

/// What goes wrong with a request.
pub enum Fault {
    /// Status line, further headers, body.
    Answer(&'static str, &'static str, String),
    /// The connection ends in the middle of the answer.
    BreakOff,
    /// The connection ends before the answer.
    Close,
    /// No answer comes, and the connection stays.
    Hang,
}

type Script = Box<dyn FnMut(&Asked, &mut Data) -> Option<Fault> + Send>;

struct State {
    data: Data,
    script: Script,
    asked: Vec<String>,
    /// Requests that each token is still good for. A new token ends none of those before it.
    tokens: Vec<usize>,
}

/// A running emulator; it ends with the process.
pub struct Tenant {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Tenant {
    /// Starts one that does everything right.
    pub fn start(data: Data) -> Self {
        Self::scripted(data, |_, _| None)
    }

    /// Starts one whose script may change the data before an answer, and spoil the answer.
    pub fn scripted(
        data: Data,
        script: impl FnMut(&Asked, &mut Data) -> Option<Fault> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Box::new(script);
        let state = State { data, script, asked: Vec::new(), tokens: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), Arc::clone(&shared));
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { url, state }
    }

    /// Requests so far, as `GET /accounts limit=250 offset=0`, query in the order of names.
    pub fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }

    /// Changes what the tenant holds.
    pub fn change(&self, change: impl FnOnce(&mut Data)) {
        change(&mut self.state.lock().unwrap().data);
    }

    /// Sets what happens before an answer from now on.
    pub fn script(&self, script: impl FnMut(&Asked, &mut Data) -> Option<Fault> + Send + 'static) {
        self.state.lock().unwrap().script = Box::new(script);
    }

    /// Tokens given so far.
    pub fn tokens(&self) -> usize {
        self.state.lock().unwrap().tokens.len()
    }
}

/// Status line, headers, body.
type Answer = (String, String, String);

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line.trim_end().is_empty() => break,
                Ok(_) => head.push(line.trim_end().to_owned()),
            }
        }
        let header = |name: &str| {
            let mut fields = head.iter().filter_map(|line| line.split_once(": "));
            fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let mut body = vec![0; header("content-length").map_or(0, |text| text.parse().unwrap())];
        reader.read_exact(&mut body).unwrap();
        let answered = state.lock().unwrap().answer(&head[0], header("authorization").as_deref(), &body);
        let (status, headers, body) = match answered {
            Ok(answer) => answer,
            Err(Fault::Close) => return,
            Err(Fault::Hang) => {
                // Until the client goes away.
                let _ = reader.read_line(&mut String::new());
                return;
            }
            Err(Fault::BreakOff) => {
                let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[{{\"id\": ");
                return;
            }
            Err(Fault::Answer(status, headers, body)) => (status.to_owned(), headers.to_owned(), body),
        };
        // In one piece: two would wait for each other on a connection that stays.
        let whole = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(whole.as_bytes()).is_err() {
            return;
        }
    }
}

impl State {
    fn answer(&mut self, line: &str, authorization: Option<&str>, body: &[u8]) -> Result<Answer, Fault> {
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if (method, path) == ("POST", "/oauth/token") {
            return Ok(self.token(&fields(std::str::from_utf8(body).unwrap())));
        }
        let asked = Asked {
            number: self.asked.len(),
            path: path.strip_prefix("/v2025").unwrap_or("outside").to_owned(),
            query: fields(query),
            body: serde_json::from_slice(body).unwrap_or_default(),
        };
        let query: String = asked.query.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        self.asked.push(format!("{method} {}{query}", asked.path));
        let number = authorization.and_then(|text| text.strip_prefix("Bearer token-")?.parse::<usize>().ok());
        let left = number.and_then(|number| self.tokens.get_mut(number.checked_sub(1)?));
        let Some(left) = left.filter(|left| **left > 0) else {
            let body = json!({"error": "JWT validation failed: JWT is expired"}).to_string();
            return Ok(("401 Unauthorized".to_owned(), String::new(), body));
        };
        *left -= 1;
        if let Some(fault) = (self.script)(&asked, &mut self.data) {
            return Err(fault);
        }
        Ok(match self.data.list(method, &asked) {
            Ok((body, total)) => {
                let total = total.filter(|_| !self.data.uncounted);
                let headers = total.map_or_else(String::new, |total| format!("X-Total-Count: {total}\r\n"));
                ("200 OK".to_owned(), headers, body)
            }
            Err((status, text)) => {
                let body = json!({
                    "detailCode": "400.1 Bad request content", "trackingId": "e7eab60924f64aa284175b9fa3309599",
                    "messages": [{"locale": "en-US", "localeOrigin": "DEFAULT", "text": text}], "causes": [],
                });
                (status.to_owned(), String::new(), body.to_string())
            }
        })
    }

    fn token(&mut self, form: &BTreeMap<String, String>) -> Answer {
        let is = |name: &str, value: &str| form.get(name).is_some_and(|found| found == value);
        if !(is("grant_type", "client_credentials") && is("client_id", CLIENT) && is("client_secret", SECRET))
        {
            // It says back what it was told, as careless servers do.
            let secret = form.get("client_secret").map_or("", String::as_str);
            let body = json!({"error": "invalid_client", "error_description": format!("bad client secret {secret}")});
            return ("401 Unauthorized".to_owned(), String::new(), body.to_string());
        }
        self.tokens.push(if self.data.token_requests == 0 { usize::MAX } else { self.data.token_requests });
        let token = format!("token-{}", self.tokens.len());
        let body = json!({"access_token": token, "token_type": "bearer", "expires_in": 749});
        ("200 OK".to_owned(), String::new(), body.to_string())
    }
}

type Refused = (&'static str, String);

fn bad(text: impl Into<String>) -> Refused {
    ("400 Bad Request", text.into())
}

impl Data {
    /// The body of a list or an object, and how many elements the list has where that was asked.
    fn list(&self, method: &str, asked: &Asked) -> Result<(String, Option<usize>), Refused> {
        let parts: Vec<&str> = asked.path.split('/').skip(1).collect();
        match (method, &parts[..]) {
            ("GET", ["sources"]) => {
                let wanted = filter(asked, "name")?;
                self.page(asked, wanted_of(&self.sources, "name", wanted.as_deref()), &["id", "name"], false)
            }
            ("GET", ["sources", id]) => {
                let found = self.sources.iter().find(|source| source["id"] == **id);
                found
                    .map(|source| (source.to_string(), None))
                    .ok_or_else(|| ("404 Not Found", "none".to_owned()))
            }
            ("GET", ["sources", id, "schemas"]) => {
                let found = self.schemas.get(*id);
                found
                    .map(|found| (found.to_string(), None))
                    .ok_or_else(|| ("404 Not Found", "none".to_owned()))
            }
            ("GET", ["accounts"]) => {
                let wanted = filter(asked, "sourceId")?;
                let accounts = wanted_of(&self.accounts, "sourceId", wanted.as_deref());
                self.page(asked, accounts, &["id", "name", "created", "nativeIdentity"], self.search_backed)
            }
            ("GET", ["identities"]) => {
                let all = asked.query.get("defaultFilter").is_some_and(|filter| filter == "NONE");
                let of = |identity: &&Value| all || identity["correlated"] == true;
                let identities = self.identities.iter().filter(of).collect();
                self.page(asked, identities, &["name", "alias", "cloudStatus"], false)
            }
            ("GET", ["identity-profiles"]) => {
                let profiles = self.identity_profiles.iter().collect();
                self.page(asked, profiles, &["id", "name", "priority"], false)
            }
            ("GET", ["identity-profiles", id, "lifecycle-states"]) => {
                let found = self.lifecycle_states.get(*id);
                found
                    .map(|found| (found.to_string(), None))
                    .ok_or_else(|| ("404 Not Found", "none".to_owned()))
            }
            ("GET", ["transforms"]) => {
                let wanted = filter(asked, "name")?;
                self.page(asked, wanted_of(&self.transforms, "name", wanted.as_deref()), &[], false)
            }
            ("POST", ["search"]) => self.search(asked),
            _ => Err(("404 Not Found", format!("no {method} {}", asked.path))),
        }
    }

    fn page(
        &self,
        asked: &Asked,
        mut elements: Vec<&Value>,
        sortable: &[&str],
        search_backed: bool,
    ) -> Result<(String, Option<usize>), Refused> {
        let (limit, offset) =
            (asked.count("limit", LIMIT_MAX).map_err(bad)?, asked.count("offset", 0).map_err(bad)?);
        if limit > LIMIT_MAX {
            return Err(bad("limit must be less than or equal to 250"));
        }
        if search_backed && offset + limit > WINDOW {
            return Err(bad("offset plus limit must not be greater than 10000"));
        }
        let total = elements.len();
        match asked.query.get("sorters").map(String::as_str) {
            Some(sorter) if sortable.contains(&sorter) => {
                elements.sort_by(|one, other| one[sorter].as_str().cmp(&other[sorter].as_str()));
            }
            Some(sorter) => return Err(bad(format!("sorting by {sorter} is not supported"))),
            // Without an order every answer has another one.
            None => elements.rotate_left(asked.number * 7 % total.max(1)),
        }
        // Lists that are not search-backed do not know the parameter, and ignore it.
        if let Some(after) = asked.query.get("searchAfter").filter(|_| search_backed) {
            if asked.query.contains_key("offset") || asked.query.get("sorters").is_none_or(|by| by != "id") {
                return Err(bad("searchAfter must have id among the sorters, and no offset"));
            }
            elements.retain(|element| element["id"].as_str() > Some(after));
        }
        let limit = limit.min(self.page_cap.unwrap_or(limit));
        let texts: Vec<String> =
            elements.into_iter().skip(offset).take(limit).map(Value::to_string).collect();
        let count = asked.query.get("count").is_some_and(|count| count == "true");
        Ok((format!("[{}]", texts.join(",")), count.then_some(total)))
    }

    fn search(&self, asked: &Asked) -> Result<(String, Option<usize>), Refused> {
        let index = asked.body["indices"][0].as_str().ok_or_else(|| bad("no index"))?;
        let mut documents: Vec<&Value> = self.documents.get(index).into_iter().flatten().collect();
        if asked.body["sort"] != json!(["id"]) {
            return Err(bad("this emulator sorts by id"));
        }
        let limit = asked.count("limit", LIMIT_MAX).map_err(bad)?;
        if limit > LIMIT_MAX || asked.count("offset", 0).map_err(bad)? + limit > WINDOW {
            return Err(bad("too many"));
        }
        let total = documents.len();
        documents.sort_by(|one, other| one["id"].as_str().cmp(&other["id"].as_str()));
        if let Some(after) = asked.body["searchAfter"][0].as_str() {
            documents.retain(|document| document["id"].as_str() > Some(after));
        }
        let texts: Vec<String> = documents.into_iter().take(limit).map(Value::to_string).collect();
        let count = asked.query.get("count").is_some_and(|count| count == "true");
        Ok((format!("[{}]", texts.join(",")), count.then_some(total)))
    }
}

fn wanted_of<'a>(elements: &'a [Value], name: &str, wanted: Option<&str>) -> Vec<&'a Value> {
    elements.iter().filter(|element| wanted.is_none_or(|wanted| element[name] == *wanted)).collect()
}

/// The value of a filter `name eq "value"`.
fn filter(asked: &Asked, name: &str) -> Result<Option<String>, Refused> {
    let Some(text) = asked.query.get("filters") else { return Ok(None) };
    let quoted = text.strip_prefix(name).and_then(|rest| rest.strip_prefix(" eq "));
    let value = quoted.and_then(|quoted| serde_json::from_str(quoted).ok());
    value.map(Some).ok_or_else(|| bad(format!("the filter {text} is not supported")))
}

/// A query or a form.
fn fields(text: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let (mut bytes, mut rest) = (Vec::new(), text.bytes());
        while let Some(byte) = rest.next() {
            match byte {
                b'+' => bytes.push(b' '),
                b'%' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                }
                other => bytes.push(other),
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}
