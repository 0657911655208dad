//! A tenant that changes while it is read, is busy, breaks off, forgets tokens and refuses.

use muster_sources::TenantSettings;
use serde_json::{Value, json};

use crate::servers::tenant::{Data, Fault, SOURCE, Tenant};
use crate::tenant::{account, directory, id, read, read_natives, settings, whole};

#[test]
fn totals_before_and_after_tell_whether_a_read_is_complete() {
    let shifted = "the list changed while it was read: its elements have other places now";
    let went = |data: &mut Data| data.accounts.retain(|account| account["id"] != id(3));
    // What happens before the answer with this number, and what must be noticed.
    type Change = fn(&mut Data);
    let cases: [(usize, Change, &str, usize); 6] = [
        // One goes from the first page: the places of all others move, and one would be skipped.
        (3, went, shifted, 250),
        // One comes there: the last of the page would come again.
        (3, |data| data.accounts.push(account_at(2)), shifted, 250),
        // One goes and one comes: the total stays.
        (
            3,
            |data| {
                data.accounts.retain(|a| a["id"] != id(3));
                data.accounts.push(account(9_000, SOURCE));
            },
            shifted,
            250,
        ),
        // One comes after all pages were read, before the last count.
        (
            6,
            |data| data.accounts.push(account(9_000, SOURCE)),
            "the tenant reported 600 elements at first and 601 at the end",
            600,
        ),
        // Some at the end are never given.
        (
            4,
            |data| data.accounts.retain(|a| a["id"].as_str() < Some(&id(550)) || a["sourceId"] != SOURCE),
            "the tenant gave 550 elements of the 600 that it reports",
            550,
        ),
        // None is counted.
        (0, |data| data.uncounted = true, "the tenant does not report how many elements the list has", 600),
    ];
    for (at, change, expected, read_count) in cases {
        // Requests 0 and 1 find the source and its schema; pages follow.
        let tenant = Tenant::scripted(directory(600), move |asked, data| {
            if asked.number == at {
                change(data);
            }
            None
        });
        let outcome = read(settings(&tenant)).unwrap();
        assert_eq!(outcome.summary.incomplete_reason.as_deref(), Some(expected), "{:?}", tenant.asked());
        assert_eq!(read_natives(&outcome).len(), read_count, "{expected}");
    }
}

/// An account that stands between two others on the first page.
fn account_at(number: usize) -> Value {
    let mut account = account(number, SOURCE);
    account["id"] = json!(format!("{:032x}", number * 3 + 2));
    account["nativeIdentity"] = json!("CN=new");
    account
}

#[test]
fn a_list_that_ignores_what_continues_it_is_not_taken_for_complete() {
    // Refuses places beyond the window, and does not know how to continue.
    let tenant = Tenant::scripted(directory(10_300), |asked, _| {
        let offset = asked.query.get("offset").map_or(0, |text| text.parse().unwrap());
        (offset + 250 > 10_000).then(|| Fault::Answer("400 Bad Request", "", String::new()))
    });
    let outcome = read(settings(&tenant)).unwrap();
    let expected = "the tenant does not continue the list after an id";
    assert_eq!(outcome.summary.incomplete_reason.as_deref(), Some(expected));
    assert!(outcome.records.len() < 10_000);
}

#[test]
fn busy_answers_broken_connections_and_old_tokens_do_not_end_a_read() {
    let mut faults = 0;
    let data = Data { token_requests: 3, ..directory(1_000) };
    let tenant = Tenant::scripted(data, move |asked, _| {
        faults += 1;
        match faults {
            1 | 4 => Some(Fault::Answer("429 Too Many Requests", "Retry-After: 0\r\n", String::new())),
            2 | 6 => Some(Fault::BreakOff),
            3 => Some(Fault::Close),
            5 => Some(Fault::Answer("503 Service Unavailable", "Retry-After: 0\r\n", "busy".to_owned())),
            // Ends early and says that it is whole.
            8 => Some(Fault::Answer("200 OK", "", "[{\"id\":".to_owned())),
            _ => {
                assert!(asked.path != "outside");
                None
            }
        }
    });
    whole(&read(settings(&tenant)).unwrap(), 1_000);
    assert!(tenant.tokens() >= 5, "{} tokens", tenant.tokens());
}

#[test]
fn waits_and_attempts_are_bounded() {
    let failing = |status: &'static str, headers: &'static str| {
        let tenant = Tenant::scripted(directory(600), move |asked, _| {
            (asked.number >= 3).then(|| Fault::Answer(status, headers, String::new()))
        });
        let outcome = read(settings(&tenant)).unwrap();
        assert_eq!(outcome.records.len(), 250);
        (outcome.summary.incomplete_reason.unwrap(), tenant.asked().len())
    };
    let (reason, asked) = failing("429 Too Many Requests", "Retry-After: 0\r\n");
    assert_eq!((reason.as_str(), asked), ("the tenant answered 429 Too Many Requests, 8 times", 3 + 8));
    let (reason, asked) = failing("429 Too Many Requests", "Retry-After: 301\r\n");
    let expected =
        "the tenant answered 429 Too Many Requests and asks for a wait of 301 seconds: expected 300 at most";
    assert_eq!((reason.as_str(), asked), (expected, 3 + 1));

    let tenant = Tenant::scripted(directory(600), |asked, _| (asked.number >= 3).then_some(Fault::Hang));
    let hurried = TenantSettings { operation_timeout_s: 1, total_timeout_s: 2, ..settings(&tenant) };
    let outcome = read(hurried).unwrap();
    assert_eq!(
        outcome.summary.incomplete_reason.as_deref(),
        Some("the read was not finished within 2 seconds")
    );
    assert_eq!(outcome.records.len(), 250);
}

#[test]
fn tokens_that_expire_on_their_way_are_renewed_again() {
    // Of every six requests three in a row are refused, as when tokens live for no longer than a busy machine takes.
    let expired = || Fault::Answer("401 Unauthorized", "", json!({"error": "JWT is expired"}).to_string());
    let tenant = Tenant::scripted(directory(1_000), move |asked, _| (asked.number % 6 >= 3).then(expired));
    whole(&read(settings(&tenant)).unwrap(), 1_000);
    assert!(tenant.tokens() >= 4, "{} tokens", tenant.tokens());
}

#[test]
fn renewed_tokens_that_are_refused_end_the_read() {
    let refused = || {
        Fault::Answer("401 Unauthorized", "", json!({"message": "token-1 and token-2 are bad"}).to_string())
    };
    let tenant = Tenant::scripted(directory(600), move |asked, _| (asked.number >= 3).then(refused));
    let reason = read(settings(&tenant)).unwrap().summary.incomplete_reason.unwrap();
    assert_eq!(
        reason,
        "the tenant answered 401 Unauthorized: token-1 and token-2 are bad, with 4 new tokens"
    );
    assert_eq!((tenant.tokens(), tenant.asked().len()), (5, 3 + 5));
}

#[test]
fn what_cannot_be_read_fails_in_words_and_without_the_secret() {
    let tenant = Tenant::start(directory(3));
    let error = |adjust: fn(&mut TenantSettings)| {
        let mut wanted = settings(&tenant);
        adjust(&mut wanted);
        let error = read(wanted).err().unwrap();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("s3cret") && !text.contains("wr0ng") && !text.contains("token-"), "{text}");
        error.to_string().replace(&tenant.url, "URL")
    };
    type Adjust = fn(&mut TenantSettings);
    let cases: [(Adjust, &str); 5] = [
        (
            |wanted| wanted.source = Some("Nowhere".to_owned()),
            "URL: the tenant has no source \"Nowhere\" that the client may see",
        ),
        (
            |wanted| wanted.source = Some("Other \"R\\D\"".to_owned()),
            "URL: the source's schemas could not be read: the tenant answered 404 Not Found: none (tracking id e7eab60924f64aa284175b9fa3309599)",
        ),
        (
            |wanted| wanted.client_id = "other".to_owned(),
            "URL: the source could not be looked up: no access token: the tenant answered 401 Unauthorized: bad client secret [secret]",
        ),
        (
            |wanted| wanted.client_secret_env = Some("UNSET".to_owned()),
            "environment variable UNSET: is not set: expected the client secret",
        ),
        (|wanted| wanted.allow_plaintext = false, "URL: url: expected https: what is sent would be readable"),
    ];
    for (adjust, expected) in cases {
        assert_eq!(error(adjust), expected);
    }
    let tenant = Tenant::scripted(directory(3), |asked, _| {
        let redirect = || Fault::Answer("302 Found", "Location: http://127.0.0.1:1/\r\n", String::new());
        (asked.path == "/accounts").then(redirect)
    });
    let text = read(settings(&tenant)).err().unwrap().to_string();
    assert_eq!(text.replace(&tenant.url, "URL"), "URL: the tenant answered 302 Found");
}
