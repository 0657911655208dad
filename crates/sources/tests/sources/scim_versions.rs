//! Versions of SCIM resources and entity tags of pages: what is kept, what a user that comes twice does to a read, and
//! when nothing has changed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use muster_sources::{ChangeSettings, GroupsFrom, Paging, ScimSettings, SourceDefinition};

use crate::scim::{USER, read, settings};
use crate::servers::scim::Scim;
use crate::servers::scripted_http;
use crate::support::{self, Outcome};

#[test]
fn versions_of_a_real_service_are_kept_where_they_are_asked_for() {
    let Some(service) = Scim::start(true) else { return };
    let mut expected = BTreeMap::new();
    for name in ["anna", "bert"] {
        let id = service.create("/Users", &format!(r#"{{"schemas": ["{USER}"], "userName": "{name}"}}"#));
        // The service gives a user's version as the entity tag of the user itself, too.
        let answer = service.ask("GET", &["/Users", id.as_str()].join("/"), "");
        let tag = answer.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap().trim().to_owned();
        expected.insert(name, tag);
    }
    assert_ne!(expected["anna"], expected["bert"]);
    let mut wanted = settings(service.url());
    wanted.token_file = Some("token".to_owned());
    wanted.changes = Some(ChangeSettings { full_every: 20 });
    wanted.account.display_name = None;
    wanted.account.entitlements.clear();
    wanted.account.attributes = Some(["userName", "meta.version"].map(str::to_owned).to_vec());
    let outcome = read(wanted.clone(), service.folder.path()).unwrap();
    for (name, tag) in &expected {
        let text = format!("{{userName={name}, meta.version={tag}}}");
        assert!(
            outcome.records.iter().any(|record| record.ends_with(&text)),
            "{text}: {:?}",
            outcome.records
        );
    }
    assert_eq!((outcome.summary.warnings.len(), outcome.summary.incomplete_reason), (0, None));
    // It gives pages no tag, and there is nothing to go on from.
    assert_eq!(outcome.summary.cursor, None);
    wanted.account.attributes = None;
    let outcome = read(wanted, service.folder.path()).unwrap();
    assert!(outcome.records.iter().all(|record| !record.contains("meta.version")), "{:?}", outcome.records);
}

#[test]
fn a_version_that_is_no_entity_tag_is_not_kept() {
    let page = r#"{"totalResults": 2, "Resources": [{"id": "a", "meta": {"version": "7"}},
        {"id": "b", "meta": {"version": "W/\"8\""}}]}"#;
    let url = scripted_http::start(|_, _| ("200 OK", "", page.to_owned()));
    let mut wanted = settings(url);
    wanted.account.name = None;
    wanted.account.display_name = None;
    wanted.account.entitlements.clear();
    wanted.account.attributes = Some(vec!["meta.version".to_owned()]);
    let outcome = read(wanted, Path::new(".")).unwrap();
    assert_eq!(outcome.records, ["0 a {}", "0 b {meta.version=W/\"8\"}"]);
    let warned = ["meta.version of some users is not an entity tag: expected \"text\" or W/\"text\""];
    assert_eq!(outcome.summary.warnings, warned);
}

/// A page of users, each an id and a version.
fn page(total: usize, users: &[(&str, &str)]) -> String {
    let user = |(id, version): &(&str, &str)| {
        format!(r#"{{"id": "{id}", "userName": "{id}", "meta": {{"version": "{version}"}}}}"#)
    };
    let users: Vec<String> = users.iter().map(user).collect();
    format!(r#"{{"totalResults": {total}, "Resources": [{}]}}"#, users.join(","))
}

#[test]
fn a_user_that_comes_twice_is_no_other_user() {
    let first = page(4, &[("a", r#"\"1\""#), ("b", r#"W/\"1\""#)]);
    let twice = |second: String| {
        let pages = [first.clone(), second];
        let url = scripted_http::start(move |number, _| ("200 OK", "", pages[number.min(1)].clone()));
        read(settings(url.clone()), Path::new(".")).map_err(|error| error.to_string().replace(&url, "URL"))
    };
    // As many came as are reported, and one of them is missing.
    let outcome = twice(page(4, &[("b", r#"W/\"1\""#), ("c", r#"\"1\""#)])).ok().unwrap();
    let reason = "the service gave 1 users twice and so 3 users of the 4 that it reports";
    assert_eq!(outcome.summary.incomplete_reason.as_deref(), Some(reason));
    // One comes twice, and all are there.
    let all = [("b", r#"W/\"1\""#), ("c", r#"\"1\""#), ("d", r#"\"1\""#)];
    let outcome = twice(page(4, &all)).ok().unwrap();
    assert_eq!((outcome.summary.incomplete_reason, outcome.records.len()), (None, 5));
    // Whichever of the two came last, neither can be trusted.
    for (id, version) in [("a", r#"\"2\""#), ("b", r#"W/\"2\""#)] {
        let error = twice(page(4, &[(id, version), ("c", r#"\"1\""#)])).err().unwrap();
        let expected =
            format!("URL: user {id:?} came twice and changed between: the pages moved while they were read");
        assert_eq!(error, expected);
    }
}

/// A service that gives each page an entity tag made from all that the page says, and keeps count of its answers.
#[derive(Clone)]
struct Tagged {
    users: Arc<Mutex<Vec<String>>>,
    /// Answers since they were last asked for: `200` and `304`.
    answers: Arc<Mutex<Vec<&'static str>>>,
    /// What stands before the quote of a tag.
    prefix: &'static str,
    /// Whether pages follow one another by a cursor.
    cursors: bool,
}

impl Tagged {
    fn new(count: usize) -> Self {
        let users = (0..count).map(|n| format!(r#"{{"id": "u{n}", "userName": "n{n}"}}"#)).collect();
        let users = Arc::new(Mutex::new(users));
        Self { users, answers: Arc::default(), prefix: "", cursors: false }
    }

    fn start(&self) -> String {
        let service = self.clone();
        scripted_http::start(move |_, head| service.answer(head))
    }

    fn answer(&self, head: &str) -> (&'static str, String, String) {
        let asked = |name: &str| {
            let (_, rest) = head.split_once(name)?;
            rest.split(['&', ' ', '\n']).next()?.parse::<usize>().ok()
        };
        let users = self.users.lock().unwrap();
        let from =
            if self.cursors { asked("cursor=").unwrap_or(0) } else { asked("startIndex=").unwrap() - 1 };
        let to = users.len().min(from + asked("count=").unwrap());
        let next = (self.cursors && to < users.len()).then(|| format!(r#""nextCursor": "{to}", "#));
        let (next, total) = (next.unwrap_or_default(), users.len());
        let body =
            format!(r#"{{{next}"totalResults": {total}, "Resources": [{}]}}"#, users[from..to].join(","));
        // Adler's checksum: two pages that differ here have different ones.
        let (low, high) = body.bytes().fold((1_u32, 0_u32), |(low, high), byte| {
            let low = (low + u32::from(byte)) % 65_521;
            (low, (high + low) % 65_521)
        });
        let tag = format!("{}\"{high:04x}{low:04x}\"", self.prefix);
        let is_known =
            head.to_ascii_lowercase().contains(&format!("if-none-match: {}", tag.to_ascii_lowercase()));
        let status = if is_known { "304 Not Modified" } else { "200 OK" };
        self.answers.lock().unwrap().push(&status[..3]);
        (status, format!("ETag: {tag}\r\n"), if is_known { String::new() } else { body })
    }

    fn answers(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.answers.lock().unwrap())
    }
}

fn definition(url: String, adjust: impl FnOnce(&mut ScimSettings)) -> SourceDefinition {
    let mut wanted = settings(url);
    wanted.page_size = 2;
    wanted.changes = Some(ChangeSettings { full_every: 2 });
    adjust(&mut wanted);
    support::definition_of(wanted)
}

fn read_after(definition: &SourceDefinition, cursor: Option<&str>) -> Outcome {
    let outcome = support::read_after(definition, Path::new("."), cursor).unwrap();
    assert_eq!(outcome.summary.incomplete_reason, None);
    outcome
}

#[test]
fn nothing_has_changed_when_the_service_says_so_of_every_page() {
    let service = Tagged::new(5);
    let definition = definition(service.start(), |_| ());
    let whole = read_after(&definition, None);
    assert_eq!((whole.records.len(), service.answers()), (5, vec!["200"; 3]));
    let first = whole.summary.cursor.clone();

    let same = read_after(&definition, first.as_deref());
    assert_eq!(service.answers(), ["304"; 3]);
    assert!(same.summary.changes_only && same.records.is_empty());
    assert_eq!(same.present, ["u0", "u1", "u2", "u3", "u4"]);
    assert_eq!(same.summary.reported_total, Some(5));
    assert_eq!(same.summary.digest_sha256, whole.summary.digest_sha256);
    // After two such reads everything is read.
    let same = read_after(&definition, same.summary.cursor.as_deref());
    assert!(same.summary.changes_only);
    service.answers();
    let due = read_after(&definition, same.summary.cursor.as_deref());
    assert_eq!((due.summary.changes_only, service.answers()), (false, vec!["200"; 3]));

    // One user on the second page changes: the first page is confirmed, and then everything is read.
    service.users.lock().unwrap()[3] = r#"{"id": "u3", "userName": "renamed"}"#.to_owned();
    let changed = read_after(&definition, first.as_deref());
    assert_eq!(service.answers(), ["304", "200", "200", "200", "200"]);
    assert_eq!((changed.records.len(), changed.summary.changes_only), (5, false));
    assert!(changed.records.iter().any(|record| record.contains("renamed")));
    assert_ne!(changed.summary.digest_sha256, whole.summary.digest_sha256);

    // One goes: every page reports another total.
    service.users.lock().unwrap().pop();
    let gone = read_after(&definition, changed.summary.cursor.as_deref());
    assert_eq!((gone.records.len(), gone.summary.changes_only), (4, false));
    // A cursor of another definition, and one that is none.
    service.answers();
    let other = self::definition(service.start(), |wanted| wanted.page_size = 3);
    for cursor in [gone.summary.cursor.as_deref(), Some("nonsense")] {
        assert!(!read_after(&other, cursor).summary.changes_only);
    }
    assert!(!service.answers().contains(&"304"));
}

#[test]
fn tags_that_do_not_tell_enough_are_not_trusted() {
    let has_cursor = |service: Tagged, adjust: fn(&mut ScimSettings)| {
        read_after(&definition(service.start(), adjust), None).summary.cursor.is_some()
    };
    let weak = || Tagged { prefix: "W/", ..Tagged::new(5) };
    let by_cursor = |count| Tagged { cursors: true, ..Tagged::new(count) };
    // A weak tag may leave memberships out.
    assert!(!has_cursor(weak(), |_| ()));
    let without_groups: fn(&mut ScimSettings) = |wanted| {
        wanted.account.display_name = None;
        wanted.account.entitlements.clear();
        wanted.account.attributes = Some(vec!["userName".to_owned()]);
    };
    assert!(has_cursor(weak(), without_groups));
    assert!(!has_cursor(Tagged { prefix: "x", ..Tagged::new(5) }, without_groups));
    // A page that follows by cursor cannot be asked for again.
    let cursors: fn(&mut ScimSettings) = |wanted| wanted.paging = Paging::Cursor;
    assert!(!has_cursor(by_cursor(5), cursors));
    assert!(has_cursor(by_cursor(2), cursors));
    assert!(!has_cursor(Tagged::new(5), |wanted| wanted.changes = None));

    // More names than are kept.
    let many = Tagged::new(3);
    many.users.lock().unwrap().push(format!(r#"{{"id": "{}"}}"#, "x".repeat(256 << 10)));
    assert!(!has_cursor(many, |_| ()));

    let searched = ScimSettings {
        groups: GroupsFrom::Search,
        changes: Some(ChangeSettings { full_every: 2 }),
        ..settings("http://127.0.0.1:1".to_owned())
    };
    let text = read(searched, Path::new(".")).err().unwrap().to_string();
    assert!(
        text.ends_with("changes: expected no such table: groups that are searched for change unnoticed"),
        "{text}"
    );
}

#[test]
fn an_unchanged_page_must_be_the_one_that_was_asked_for() {
    let answer = |status, tag: &str, head: &str| {
        // Behind the first user there is nobody.
        if head.contains("startIndex=2") {
            return ("200 OK", String::new(), page(1, &[]));
        }
        (status, format!("ETag: {tag}\r\n"), page(1, &[("a", "")]))
    };
    let first = definition(scripted_http::start(move |_, head| answer("200 OK", "\"1\"", head)), |_| ());
    let cursor = read_after(&first, None).summary.cursor.unwrap();
    let reason = |status, tag: &'static str| {
        // The cursor is good for the same definition only, so the second service stands at the same address.
        let count = std::sync::atomic::AtomicUsize::new(0);
        let url = scripted_http::start(move |_, head| {
            match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 => answer("200 OK", "\"1\"", head),
                _ => answer(status, tag, head),
            }
        });
        let definition = definition(url.clone(), |_| ());
        let cursor = read_after(&definition, None).summary.cursor;
        support::read_after(&definition, Path::new("."), cursor.as_deref())
            .err()
            .map(|error| error.to_string().replace(&url, "URL"))
    };
    assert!(cursor.contains("\\\"1\\\""), "{cursor}");
    assert_eq!(reason("304 Not Modified", "W/\"1\""), None);
    let expected = "URL: the service answered 304 Not Modified with another entity tag";
    assert_eq!(reason("304 Not Modified", "\"2\"").as_deref(), Some(expected));
    // A read without a cursor cannot use the answer 304.
    let url = scripted_http::start(|_, _| ("304 Not Modified", "", String::new()));
    let text = read(settings(url), Path::new(".")).err().unwrap().to_string();
    assert!(text.ends_with("the service answered 304 Not Modified: "), "{text}");
}
