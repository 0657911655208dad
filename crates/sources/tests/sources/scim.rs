//! SCIM services: the Python package scim2-server as a real one, and a scripted one for faults.

use muster_sources::{GroupsFrom, Paging, ReadError, ScimSettings};

use crate::servers::scim::{Scim, TOKEN};
use crate::servers::scripted_http;
use crate::support::{self, Outcome};

pub fn read(settings: ScimSettings, folder: &std::path::Path) -> Result<Outcome, ReadError> {
    support::read(&support::definition_of(settings), folder)
}

pub fn settings(url: String) -> ScimSettings {
    ScimSettings { allow_plaintext: true, ..ScimSettings::new(url) }
}

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[test]
fn users_and_groups_of_a_real_service() {
    let Some(service) = Scim::start(false) else { return };
    let anna = service.create(
        "/Users",
        &format!(
            r#"{{"schemas": ["{USER}", "{ENTERPRISE}"], "userName": "anna", "displayName": "Anna Ädams",
            "name": {{"familyName": "Ädams"}}, "active": true,
            "emails": [{{"value": "home@x.org", "type": "home"}}, {{"value": "work@x.org", "type": "work", "primary": true}}],
            "{ENTERPRISE}": {{"employeeNumber": "7", "manager": {{"value": "m1"}}}}}}"#
        ),
    );
    let bert = service
        .create("/Users", &format!(r#"{{"schemas": ["{USER}"], "userName": "bert", "active": false}}"#));
    for number in 0..25 {
        service.create("/Users", &format!(r#"{{"schemas": ["{USER}"], "userName": "other{number}"}}"#));
    }
    let group = service.create(
        "/Groups",
        &format!(
            r#"{{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Readers",
            "members": [{{"value": "{anna}"}}]}}"#
        ),
    );
    let mut wanted = settings(service.url());
    wanted.token_file = Some("token".to_owned());
    wanted.page_size = 10;
    wanted.sort_by = Some("userName".to_owned());
    wanted.groups = GroupsFrom::Search;
    wanted.account.attributes = Some(
        [
            "emails",
            "name.familyName",
            "groups",
            "groups.display",
            "enterprise.employeeNumber",
            "enterprise.manager",
        ]
        .map(str::to_owned)
        .to_vec(),
    );
    let outcome = read(wanted.clone(), service.folder.path()).unwrap();
    assert_eq!(outcome.summary.incomplete_reason, None);
    assert_eq!((outcome.records.len(), outcome.summary.reported_total), (27, Some(27)));
    let expected = [
        format!(
            "0 {anna} anna/Anna Ädams/- {{emails=work@x.org|home@x.org, name.familyName=Ädams, groups={group}, \
             groups.display=Readers, enterprise.employeeNumber=7, enterprise.manager=m1}} {group}"
        ),
        format!("0 {bert} [d] bert/-/- {{}}"),
    ];
    assert_eq!(outcome.records[..2], expected);

    wanted.filter = Some("userName sw \"other1\"".to_owned());
    // other1 and other10 to other19.
    assert_eq!(read(wanted.clone(), service.folder.path()).unwrap().records.len(), 11);

    std::fs::write(service.folder.path().join("token"), "wr0ng-token").unwrap();
    let error = read(wanted.clone(), service.folder.path()).err().unwrap();
    let text = format!("{error} {error:?}");
    assert!(text.contains("the service answered 401 Unauthorized: "), "{text}");
    assert!(!text.contains("wr0ng") && !text.contains(TOKEN), "{text}");
    wanted.paging = Paging::Cursor;
    std::fs::write(service.folder.path().join("token"), TOKEN).unwrap();
    let text = read(wanted, service.folder.path()).err().unwrap().to_string();
    assert!(text.contains("501 Not Implemented: Pagination by cursor is not supported"), "{text}");
}

#[test]
fn pages_by_cursor_of_a_real_service() {
    let Some(service) = Scim::start(true) else { return };
    for number in 0..23 {
        service.create("/Users", &format!(r#"{{"schemas": ["{USER}"], "userName": "user{number}"}}"#));
    }
    let mut settings = settings(service.url());
    settings.token_env = Some("TOKEN".to_owned());
    settings.paging = Paging::Cursor;
    settings.page_size = 10;
    let definition = support::definition_of(settings);
    let environment = |name: &str| (name == "TOKEN").then(|| TOKEN.to_owned());
    let reader = muster_sources::open_source(&definition, service.folder.path(), &environment).unwrap();
    let outcome = support::read_all(reader).unwrap();
    assert_eq!((outcome.records.len(), outcome.summary.incomplete_reason), (23, None));
}

/// A page of users `from..to` of `total`.
fn users(from: usize, to: usize, total: usize) -> String {
    let users: Vec<String> = (from..to).map(|n| format!(r#"{{"id": "u{n}", "userName": "n{n}"}}"#)).collect();
    format!(r#"{{"totalResults": {total}, "Resources": [{}]}}"#, users.join(","))
}

#[test]
fn a_busy_service_is_asked_again_when_it_says() {
    let url = scripted_http::start(|number, line| match number {
        0 => ("429 Too Many Requests", "Retry-After: 0\r\n", String::new()),
        1 => ("200 OK", "", users(0, 2, 3)),
        2 => ("503 Service Unavailable", "Retry-After: 0\r\n", String::new()),
        _ => {
            assert!(line.contains("startIndex=3"), "{line}");
            ("200 OK", "", users(2, 3, 3))
        }
    });
    let outcome = read(settings(url), std::path::Path::new(".")).unwrap();
    assert_eq!((outcome.records.len(), outcome.summary.incomplete_reason), (3, None));
}

#[test]
fn totals_tell_whether_a_read_is_complete() {
    let unknown = [r#"{"Resources": [{"id": "a"}]}"#, r#"{"Resources": []}"#].map(str::to_owned);
    let cases = [
        ([users(0, 2, 4), users(2, 3, 5)], "the service reported 4 users at first and 5 later"),
        ([users(0, 2, 4), users(0, 0, 4)], "the service gave 2 users of the 4 that it reports"),
        (unknown, "the service does not report how many users there are"),
    ];
    for (bodies, expected) in cases {
        let body = move |number: usize| bodies[number.min(1)].clone();
        let url = scripted_http::start(move |number, _| ("200 OK", "", body(number)));
        let reason = read(settings(url), std::path::Path::new(".")).unwrap().summary.incomplete_reason;
        assert_eq!(reason.as_deref(), Some(expected));
    }
}

/// What a request asks for, a number.
fn asked(head: &str, name: &str) -> usize {
    let (_, rest) = head.split_once(&format!("{name}=")).unwrap();
    rest.split(['&', ' ', '\n']).next().unwrap().parse().unwrap()
}

/// As services of wso2/product-is#7320 and others do.
#[test]
fn a_total_that_counts_the_page_is_read_past() {
    let of_page = |of: usize, head: &str| {
        let from = (asked(head, "startIndex") - 1).min(of);
        let to = of.min(from + asked(head, "count"));
        (from, to)
    };
    let url = scripted_http::start(move |_, head| {
        let (from, to) = of_page(5, head);
        ("200 OK", "", users(from, to, to - from))
    });
    let outcome = read(ScimSettings { page_size: 2, ..settings(url) }, std::path::Path::new(".")).unwrap();
    assert_eq!((outcome.records.len(), outcome.summary.incomplete_reason), (5, None));
    assert_eq!(outcome.summary.reported_total, None);
    let warned =
        outcome.summary.warnings.iter().any(|warning| warning.contains("totalResults counts the page"));
    assert!(warned, "{:?}", outcome.summary.warnings);

    // One user's groups are five, on pages of two.
    let url = scripted_http::start(move |_, head| {
        if head.starts_with("GET /Users") {
            let (from, to) = of_page(1, head);
            return ("200 OK", "", users(from, to, 1));
        }
        let (from, to) = of_page(5, head);
        ("200 OK", "", users(from, to, to - from))
    });
    let wanted = ScimSettings { page_size: 2, groups: GroupsFrom::Search, ..settings(url) };
    let outcome = read(wanted, std::path::Path::new(".")).unwrap();
    assert_eq!(outcome.summary.incomplete_reason, None);
    assert!(outcome.records[0].ends_with(" u0|u1|u2|u3|u4"), "{}", outcome.records[0]);

    // A total that is right, and nothing behind it: the page or a refusal says so.
    for refuses in [false, true] {
        let url = scripted_http::start(move |number, _| match (number, refuses) {
            (0, _) => ("200 OK", "", users(0, 3, 3)),
            (_, false) => ("200 OK", "", users(0, 0, 3)),
            (_, true) => ("400 Bad Request", "", r#"{"detail": "startIndex"}"#.to_owned()),
        });
        let outcome = read(settings(url), std::path::Path::new(".")).unwrap();
        assert_eq!((outcome.records.len(), outcome.summary.incomplete_reason), (3, None));
        assert_eq!(outcome.summary.reported_total, Some(3));
        let warnings = outcome.summary.warnings;
        assert!(!warnings.iter().any(|warning| warning.contains("totalResults")), "{warnings:?}");
    }
}

#[test]
fn a_page_with_nobody_new_ends_the_read() {
    let requests = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let unnumbered = r#"{"Resources": [{"id": "u0"}, {"id": "u1"}]}"#.to_owned();
    let endless = r#"{"nextCursor": "N", "Resources": [{"userName": "no id"}]}"#.to_owned();
    let passes = "does it pass over `startIndex`? `paging = \"none\"` takes one answer for all";
    let cases = [
        (
            users(0, 2, 2),
            Paging::Index,
            format!(
                "the service gave 2 users of the 2 that it reports and then a page with nobody new: {passes}"
            ),
        ),
        (
            users(0, 2, 9),
            Paging::Index,
            format!(
                "the service gave 2 users of the 9 that it reports and then a page with nobody new: {passes}"
            ),
        ),
        (
            unnumbered,
            Paging::Index,
            format!("the service gave 2 users and then a page with nobody new: {passes}"),
        ),
        (endless, Paging::Cursor, "the service gave 1 users and then a page with nobody new".to_owned()),
    ];
    for (body, paging, expected) in cases {
        let counted = std::sync::Arc::clone(&requests);
        let url = scripted_http::start(move |number, _| {
            counted.store(number + 1, std::sync::atomic::Ordering::Relaxed);
            ("200 OK", "", body.replace("\"N\"", &format!("\"{number}\"")))
        });
        let outcome = read(ScimSettings { paging, ..settings(url) }, std::path::Path::new(".")).unwrap();
        assert_eq!(outcome.summary.incomplete_reason, Some(expected));
        assert_eq!(requests.load(std::sync::atomic::Ordering::Relaxed), 2);
    }
    // The definition says that one answer is all there is.
    let url = scripted_http::start(|_, head| {
        assert!(!head.contains("startIndex") && !head.contains("count="), "{head}");
        ("200 OK", "", users(0, 2, 2))
    });
    let outcome =
        read(ScimSettings { paging: Paging::None, ..settings(url) }, std::path::Path::new(".")).unwrap();
    assert_eq!((outcome.records.len(), outcome.summary.incomplete_reason), (2, None));
}

#[test]
fn active_and_names_however_they_are_written() {
    let body = r#"{"TotalResults": "6", "resources": [
        {"id": "1", "active": "True"}, {"id": "2", "active": "False"}, {"id": "3", "active": 0},
        {"ID": "4", "UserName": "d", "Active": false}, {"id": "5", "active": "off"}, {"id": "6"}]}"#;
    let page = |number: usize| if number == 0 { body.to_owned() } else { users(0, 0, 6) };
    let url = scripted_http::start(move |number, _| ("200 OK", "", page(number)));
    let outcome = read(settings(url), std::path::Path::new(".")).unwrap();
    let expected = [
        "0 1 -/-/- {active=true, id=1}",
        "0 2 [d] -/-/- {active=false, id=2}",
        "0 3 [d] -/-/- {active=false, id=3}",
        "0 4 [d] d/-/- {active=false, id=4, userName=d}",
        "0 6 -/-/- {id=6}",
    ];
    assert_eq!(outcome.records, expected);
    assert_eq!(outcome.rejection_texts(), ["5 5: active is not readable: expected true or false"]);
    assert_eq!((outcome.summary.incomplete_reason, outcome.summary.rejected_without_key), (None, 0));

    // Names that the definition writes in its own way.
    let url = scripted_http::start(move |number, _| ("200 OK", "", page(number)));
    let text = format!(
        "name = \"S\"\nkind = \"scim\"\n[scim]\nurl = \"{url}\"\nallow_plaintext = true\n[scim.account]\nnative_identity = \"id\"\n[[correlation]]\nidentity_attribute = \"uid\"\naccount_attribute = \"USERNAME\"\n"
    );
    let definition =
        muster_sources::SourceDefinition::from_toml(&text, std::path::Path::new("s.toml")).unwrap();
    let outcome = support::read(&definition, std::path::Path::new(".")).unwrap();
    assert_eq!(outcome.records[3], "0 4 [d] {USERNAME=d, active=false, id=4}");
}

#[test]
fn what_is_no_service_fails_in_words() {
    let cases = [
        ("200 OK", "", "<html>", "the answer is no SCIM list response"),
        ("302 Found", "Location: http://127.0.0.1:1/\r\n", "", "the service answered 302 Found: "),
        ("403 Forbidden", "", r#"{"detail": "no right"}"#, "the service answered 403 Forbidden: no right"),
    ];
    for (status, headers, body, expected) in cases {
        let url = scripted_http::start(move |_, _| (status, headers, body.to_owned()));
        let text = read(settings(url.clone()), std::path::Path::new(".")).err().unwrap().to_string();
        assert_eq!(text, format!("{url}: {expected}"));
    }
    let url = scripted_http::start(|_, _| ("200 OK", "", users(0, 1, 1)));
    let text = read(ScimSettings::new(url.clone()), std::path::Path::new(".")).err().unwrap().to_string();
    assert_eq!(text, format!("{url}: url: expected https: what is sent would be readable"));
}

#[test]
fn what_a_careless_service_repeats_is_not_shown() {
    let url = scripted_http::start(|_, head| {
        let given = head.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap();
        ("403 Forbidden", "", format!(r#"{{"detail": "{given} has no right"}}"#))
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "s3cret").unwrap();
    let secret = Some("secret".to_owned());
    let token = ScimSettings { token_file: secret.clone(), ..settings(url.clone()) };
    let user = Some("ada".to_owned());
    let password = ScimSettings { user, password_file: secret, ..settings(url.clone()) };
    for (wanted, scheme) in [(token, "Bearer"), (password, "Basic")] {
        let error = read(wanted, folder.path()).err().unwrap();
        let expected = format!("{url}: the service answered 403 Forbidden: {scheme} [secret] has no right");
        assert_eq!(error.to_string(), expected);
        // `ada:s3cret` in base64 is the password, too.
        let shown = format!("{error:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("YWRhOnMzY3JldA"), "{shown}");
    }
}

#[test]
fn more_groups_than_the_service_reports_end_the_read() {
    let url = scripted_http::start(|_, head| {
        let body = if head.contains("/Groups") {
            // Whatever page is asked for, there are two more.
            r#"{"totalResults": 3, "Resources": [{"id": "g", "displayName": "G"}, {"id": "h"}]}"#.to_owned()
        } else {
            users(0, 1, 1)
        };
        ("200 OK", "", body)
    });
    let wanted = ScimSettings { groups: GroupsFrom::Search, ..settings(url) };
    let reason = read(wanted, std::path::Path::new(".")).unwrap().summary.incomplete_reason;
    assert_eq!(
        reason.as_deref(),
        Some("the service gave 2 groups of a user's 3 and then a page with no new one")
    );
}

#[test]
fn a_service_that_hangs_is_ended_by_its_time_out() {
    // Connections are taken by the system, and nobody answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut hangs = settings(format!("http://{}", listener.local_addr().unwrap()));
    hangs.total_timeout_s = 1;
    let outcome = read(hangs, std::path::Path::new(".")).unwrap();
    let reason = outcome.summary.incomplete_reason.unwrap();
    assert_eq!((outcome.summary.read, reason.as_str()), (0, "the read was not finished within 1 seconds"));
}
