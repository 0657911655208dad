//! Directories that break off, limit, refer or talk nonsense.

use muster_sources::{LdapSettings, ReadError};

use crate::servers::scripted_ldap::{Reply, start};
use crate::support::{self, Outcome};

fn read(
    answer: impl Fn(usize, &[u8]) -> Vec<Reply> + Send + Sync + 'static,
    adjust: impl FnOnce(&mut LdapSettings),
) -> Result<Outcome, ReadError> {
    let mut settings = LdapSettings::new(start(answer), "dc=x");
    adjust(&mut settings);
    let definition = support::definition_of(settings);
    support::read(&definition, std::path::Path::new("."))
}

fn person(dn: &'static str) -> Reply {
    Reply::Entry(dn, vec![("cn", vec!["x"])])
}

/// The records read and why they are not all.
fn cut(second: Vec<Reply>) -> (usize, String) {
    let answer = move |number: usize, _: &[u8]| match number {
        0 => vec![person("cn=a,dc=x"), Reply::Done(0, Some("next"))],
        _ => second.clone(),
    };
    let outcome = read(answer, |settings| settings.operation_timeout_s = 1).unwrap();
    assert!(!outcome.summary.complete);
    (outcome.records.len(), outcome.summary.incomplete_reason.unwrap())
}

#[test]
fn whatever_ends_a_search_early_makes_the_read_incomplete() {
    let cases = [
        (vec![person("cn=b,dc=x"), Reply::Close], 2, "the connection was lost: "),
        (vec![person("cn=b,dc=x"), Reply::Silence], 2, "no answer within 1 seconds"),
        (vec![Reply::Done(0, None)], 1, "the server's answer does not tell whether there are more pages"),
        (vec![person("cn=b,dc=x"), Reply::Done(4, Some(""))], 2, "the server's size limit ended the search"),
        (vec![Reply::Done(3, None)], 1, "the server's time limit ended the search"),
        (vec![Reply::Done(11, None)], 1, "an administrative limit of the server ended the search"),
        (vec![Reply::Done(51, None)], 1, "a server that is busy ended the search"),
        (vec![Reply::Done(1, None)], 1, "the search was refused (rc=1 (operationsError)"),
        (vec![Reply::Noise, Reply::Done(0, Some(""))], 1, "an answer of the server is not readable"),
    ];
    for (second, records, reason) in cases {
        let (found, text) = cut(second);
        assert_eq!(found, records, "{text}");
        let expected = format!("search below \"dc=x\": {reason}");
        assert!(text.starts_with(&expected), "{text}: expected {expected}");
    }
}

#[test]
fn a_busy_server_at_the_first_page_is_incomplete_and_a_refusal_is_a_failure() {
    let outcome = read(|_, _| vec![Reply::Done(51, None)], |_| ()).unwrap();
    assert_eq!((outcome.summary.read, outcome.summary.complete), (0, false));
    for (code, reason) in [(50, "rc=50 (insufficientAccessRights)"), (10, "refers to another one")] {
        let text = read(move |_, _| vec![Reply::Done(code, None)], |_| ()).err().unwrap().to_string();
        assert!(text.contains(reason), "{text}");
    }
}

#[test]
fn the_whole_read_has_a_time_limit() {
    let endless = |_: usize, _: &[u8]| vec![person("cn=a,dc=x"), Reply::Done(0, Some("more"))];
    let outcome = read(endless, |settings| settings.total_timeout_s = 1).unwrap();
    let reason = outcome.summary.incomplete_reason.unwrap();
    assert_eq!(reason, "the read was not finished within 1 seconds");
    assert!(!outcome.records.is_empty());
}

#[test]
fn a_page_is_not_longer_than_was_asked_for() {
    let endless = |_: usize, _: &[u8]| {
        let people = (0..2_000).map(|_| person("cn=a,dc=x"));
        people.chain([Reply::Done(0, Some(""))]).collect()
    };
    let outcome = read(endless, |settings| settings.page_size = 100).unwrap();
    let reason = outcome.summary.incomplete_reason.unwrap();
    assert_eq!(reason, "search below \"dc=x\": the server gives more than the 100 entries of a page");
    assert_eq!(outcome.records.len(), 100);
}

#[test]
fn references_are_counted_and_not_followed() {
    let answer = |number: usize, _: &[u8]| match number {
        0 => vec![Reply::Reference, person("cn=a,dc=x"), Reply::Done(0, Some("c"))],
        _ => vec![Reply::Reference, Reply::Done(0, Some(""))],
    };
    let outcome = read(answer, |_| ()).unwrap();
    assert!(outcome.summary.complete);
    assert_eq!(outcome.summary.warnings, ["referrals to other servers that were not followed: 2"]);
}

#[test]
fn values_that_come_in_parts_are_fetched_to_the_last() {
    let answer = |_: usize, request: &[u8]| {
        let asks = |text: &str| request.windows(text.len()).any(|part| part == text.as_bytes());
        let part = |name, values| Reply::Entry("cn=g,dc=x", vec![(name, values)]);
        let done = Reply::Done(0, Some(""));
        if asks("memberOf;range=2-*") {
            vec![part("memberOf;range=2-3", vec!["cn=3", "cn=4"]), done]
        } else if asks("memberOf;range=4-*") {
            vec![part("memberOf;range=4-*", vec!["cn=5"]), done]
        } else if asks("member;range=1-*") {
            // A server that loses its place.
            vec![part("member;range=0-0", vec!["cn=1"]), done]
        } else if asks("stuck") {
            vec![part("member;range=0-0", vec!["cn=1"]), done]
        } else {
            let values =
                vec![("memberOf;range=0-1", vec!["cn=1", "cn=2"]), ("memberOf", vec![]), ("cn", vec!["g"])];
            vec![Reply::Entry("cn=g,dc=x", values), done]
        }
    };
    let attributes = |settings: &mut LdapSettings| {
        settings.account.attributes = Some(vec!["cn".to_owned(), "memberOf".to_owned()]);
    };
    let outcome = read(answer, attributes).unwrap();
    assert_eq!(outcome.records, ["0 cn=g,dc=x {cn=g, memberOf=cn=1|cn=2|cn=3|cn=4|cn=5}"]);
    assert!(outcome.summary.complete);

    let outcome = read(answer, |settings| settings.filter = "(cn=stuck)".to_owned()).unwrap();
    let reason = outcome.summary.incomplete_reason.unwrap();
    assert_eq!(reason, "values 1 and on of \"member\" of an account: the server did not give them");
}

#[test]
fn a_server_that_is_not_there() {
    let nobody = crate::servers::ReservedPort::new();
    let mut settings = LdapSettings::new(format!("ldap://127.0.0.1:{}", nobody.number()), "dc=x");
    settings.connect_timeout_s = 2;
    let definition = support::definition_of(settings);
    let text = support::read(&definition, std::path::Path::new(".")).err().unwrap().to_string();
    assert!(text.contains("no connection: I/O error: Connection refused"), "{text}");
}
