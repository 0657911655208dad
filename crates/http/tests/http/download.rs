//! get-report: headers, conditions, ranges, names, and files that are shorter than their record.

use crate::world::{Header, World};
use axum::body::Body;
use http_body_util::BodyExt;
use muster_reports::audit::AuditOperation;
use muster_testkit::build;
use std::fs;
use std::time::Duration;

/// SHA-256 of "0123456789", from `printf 0123456789 | sha256sum`.
const SHA: &str = "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882";
/// The same in Base64, from `printf 0123456789 | openssl dgst -sha256 -binary | base64`.
const SHA_BASE64: &str = "hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=";

#[tokio::test]
async fn a_file_comes_with_its_validators_and_digest() {
    let world = World::new().await;
    let id = world.finished(b"0123456789").await;
    for method in ["GET", "HEAD"] {
        let answer = world.ask_as_user(&format!("{method} /v3/reports/{id}?fileFormat=csv"), "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text(), if method == "GET" { "0123456789" } else { "" });
        for (name, value) in [
            ("content-type", "application/csv"),
            ("content-length", "10"),
            ("content-disposition", "attachment;filename=\"Account Export.csv\""),
            ("etag", &format!("\"{SHA}\"")),
            ("last-modified", "Mon, 02 Mar 2026 09:00:00 GMT"),
            ("repr-digest", &format!("sha-256=:{SHA_BASE64}:")),
            ("accept-ranges", "bytes"),
            ("content-range", ""),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.header(name), value, "{method} {name}");
        }
    }
}

#[tokio::test]
async fn parts_and_conditions_are_honoured() {
    let world = World::new().await;
    let id = world.finished(b"0123456789").await;
    let bearer = world.bearer(&build::user());
    let etag = format!("\"{SHA}\"");
    let date = "Mon, 02 Mar 2026 09:00:00 GMT";
    let cases: [(&[Header], u16, &str, &str); 12] = [
        (&[("range", "bytes=0-3")], 206, "0123", "bytes 0-3/10"),
        (&[("range", "bytes=8-")], 206, "89", "bytes 8-9/10"),
        (&[("range", "bytes=-1")], 206, "9", "bytes 9-9/10"),
        (&[("range", "bytes=0-")], 206, "0123456789", "bytes 0-9/10"),
        (&[("range", "bytes=10-")], 416, "", "bytes */10"),
        (&[("range", "bytes=0-1,3-4")], 200, "0123456789", ""),
        (&[("range", "bytes=4-"), ("if-range", &etag)], 206, "456789", "bytes 4-9/10"),
        (&[("range", "bytes=4-"), ("if-range", "\"other\"")], 200, "0123456789", ""),
        (&[("if-none-match", &etag)], 304, "", ""),
        (&[("if-modified-since", date)], 304, "", ""),
        (&[("if-none-match", "\"other\""), ("if-modified-since", date)], 200, "0123456789", ""),
        (&[("if-match", "\"other\"")], 412, "", ""),
    ];
    for (headers, status, body, content_range) in cases {
        let mut headers = headers.to_vec();
        headers.push(("authorization", bearer.as_str()));
        let answer = world.ask(&format!("GET /v3/reports/{id}?fileFormat=csv"), &headers, "").await;
        assert_eq!(answer.status, status, "{headers:?}");
        assert_eq!(answer.header("content-range"), content_range, "{headers:?}");
        match status {
            200 | 206 => {
                assert_eq!(answer.text(), body, "{headers:?}");
                assert_eq!(answer.header("content-length"), body.len().to_string());
                assert_eq!(
                    answer.header("repr-digest"),
                    format!("sha-256=:{SHA_BASE64}:"),
                    "of the whole file"
                );
            }
            304 => assert_eq!((answer.text().as_str(), answer.header("etag")), ("", etag.as_str())),
            _ => assert_eq!(answer.json()["trackingId"].as_str().map(str::len), Some(32)),
        }
    }
}

#[tokio::test]
async fn the_asked_name_is_decoded_and_made_safe() {
    let world = World::new().await;
    let id = world.finished(b"x").await;
    for (name, expected) in [
        ("", "attachment;filename=\"Account Export.csv\""),
        ("&name=", "attachment;filename=\"Account Export.csv\""),
        ("&name=Q3+2024", "attachment;filename=\"Q3 2024.csv\""),
        ("&name=Q3%202024.csv", "attachment;filename=\"Q3 2024.csv\""),
        ("&name=..%2F..%2Fetc%2Fpasswd", "attachment;filename=\"etcpasswd.csv\""),
        ("&name=a%22%0d%0aX-Evil:1", "attachment;filename=\"aX-Evil:1.csv\""),
        ("&name=Pr%C3%BCfung", "attachment;filename=\"Pr_fung.csv\"; filename*=UTF-8''Pr%C3%BCfung.csv"),
    ] {
        let answer = world.ask_as_user(&format!("GET /v3/reports/{id}?fileFormat=csv{name}"), "").await;
        assert_eq!(answer.header("content-disposition"), expected, "{name}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_as_its_record_says_is_never_begun() {
    let world = World::new().await;
    let id = world.finished(b"0123456789").await;
    let line = format!("GET /v3/reports/{id}?fileFormat=csv");
    for content in [&b"012345678"[..], b"01234567890"] {
        fs::write(world.stored(&id), content).unwrap();
        assert_eq!(world.ask_as_user(&line, "").await.status, 500);
    }
    fs::remove_file(world.stored(&id)).unwrap();
    assert_eq!(world.ask_as_user(&line, "").await.status, 500);
}

/// A disk that gives other bytes than were written: the size is right, and the headers carry the digest of the record.
#[tokio::test]
async fn a_file_with_a_flipped_bit_never_ends_cleanly() {
    let world = World::new().await;
    let content = vec![b'x'; 300_000];
    let id = world.finished(&content).await;
    let sound = world.finished(&content).await;
    let bearer = world.bearer(&build::user());
    let flipped = |place: usize| {
        let mut content = content.clone();
        content[place] ^= 0x10;
        fs::write(world.stored(&id), content).unwrap();
    };
    for place in [0, 150_000, 299_999] {
        flipped(place);
        let line = format!("GET /v3/reports/{id}?fileFormat=csv");
        let response = world.response(&line, &[("authorization", &bearer)], Body::empty()).await;
        let mut body = response.into_body();
        let mut received = 0;
        let broken = loop {
            match body.frame().await {
                Some(Ok(frame)) => received += frame.into_data().unwrap().len(),
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        assert!(broken && received < content.len(), "{place}: {received} bytes, broken: {broken}");
        // A part without the flipped bit is one of a file that is damaged.
        let range = [("authorization", bearer.as_str()), ("range", "bytes=10-19")];
        let part = world.response(&line, &range, Body::empty()).await;
        assert_eq!(part.status(), 500, "{place}");
    }
    let range = [("authorization", bearer.as_str()), ("range", "bytes=10-19")];
    let line = format!("GET /v3/reports/{sound}?fileFormat=csv");
    for _ in 0..2 {
        let part = world.response(&line, &range, Body::empty()).await;
        assert_eq!(part.status(), 206);
    }
}

/// The body ends with an error, which makes a server break the connection.
#[tokio::test]
async fn a_file_that_shrinks_while_it_is_sent_never_ends_cleanly() {
    let world = World::new().await;
    let content = vec![b'x'; 4 * 1024 * 1024];
    let id = world.finished(&content).await;
    let bearer = world.bearer(&build::user());
    let line = format!("GET /v3/reports/{id}?fileFormat=csv");
    let response = world.response(&line, &[("authorization", &bearer)], Body::empty()).await;
    assert_eq!(response.status(), 200);
    fs::File::options().write(true).open(world.stored(&id)).unwrap().set_len(3_000_000).unwrap();
    let mut body = response.into_body();
    let mut received = 0;
    let broken = loop {
        match body.frame().await {
            Some(Ok(frame)) => received += frame.into_data().unwrap().len(),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broken, "the body ended as if it were whole");
    assert!(received < content.len());
}

/// The address is given after rights and audit, to a request that it can answer.
#[tokio::test]
async fn a_download_is_given_to_an_address_where_settings_say_so() {
    let world = World::with(|settings| settings.presign = Some(Duration::from_secs(90))).await;
    let id = world.finished(b"id\n").await;
    let bearer = world.bearer(&build::user());
    let authorization = ("authorization", bearer.as_str());
    let plain = format!("GET /v3/reports/{id}?fileFormat=csv");
    let audited = format!("{plain}&auditable=true");
    for headers in [&[authorization][..], &[authorization, ("range", "bytes=1-1")]] {
        let answer = world.ask(&audited, headers, "").await;
        assert_eq!(answer.status, 307);
        let address = answer.header("location");
        assert!(address.starts_with("https://bucket.example.com/"), "{address}");
        assert!(address.ends_with("?expires=90"), "{address}");
        assert_eq!(answer.header("cache-control"), "private, no-store");
        assert!(answer.text().is_empty());
    }
    assert_eq!(world.store.recorded(AuditOperation::Download).len(), 2);
    // What the address could not answer is answered here.
    assert_eq!(world.ask(&format!("{plain}&name=other"), &[authorization], "").await.text(), "id\n");
    let preferred = [authorization, ("prefer", "respond-async, return=representation")];
    assert_eq!(world.ask(&plain, &preferred, "").await.text(), "id\n");
    let known = [authorization, ("if-none-match", "*")];
    assert_eq!(world.ask(&plain, &known, "").await.status, 304);
    assert_eq!(world.ask(&plain.replace("GET", "HEAD"), &[authorization], "").await.status, 200);
    // Whoever may not have the file gets no address, and what must be recorded is recorded first.
    assert_eq!(world.ask(&plain, &[], "").await.status, 401);
    world.store.refuse_audit(true);
    let refused = world.ask(&audited, &[authorization], "").await;
    assert_eq!((refused.status.as_u16(), refused.header("location")), (500, ""));
}
