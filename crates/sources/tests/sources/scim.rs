//! SCIM services: the Python package scim2-server as a real one, and a scripted one for faults.

use muster_sources::{GroupsFrom, Paging, ReadError, ReaderSettings, ScimSettings};

use crate::servers::scim::{Scim, TOKEN};
use crate::servers::scripted_http;
use crate::support::{self, Outcome};

pub fn read(settings: ScimSettings, folder: &std::path::Path) -> Result<Outcome, ReadError> {
    support::read(&support::definition_of(ReaderSettings::Scim(Box::new(settings))), folder)
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
    let definition = support::definition_of(ReaderSettings::Scim(Box::new(settings)));
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
    assert_eq!(reason.as_deref(), Some("the service gave 4 groups of a user's 3"));
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
