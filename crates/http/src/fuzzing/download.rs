//! Names and conditions of downloads.

use crate::reports::conditional::{Selection, Validators, format_http_date, select};
use crate::reports::disposition::content_disposition;
use axum::http::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, Method};
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;

const EXTENSIONS: [&str; 4] = ["csv", "pdf", "xlsx", "zip"];
/// What file systems allow.
const NAME_BYTES_MAX: usize = 255;

/// A byte that chooses the extension, the requested name, and after a zero byte the report's own name.
///
/// The header can be sent. Both names in it end with the extension, do not name a hidden file, contain nothing that
/// leads out of a folder or changes how they are shown, and fit a file system. A request for the resulting name gives
/// the same header.
pub fn file_name(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let extension = EXTENSIONS[usize::from(*choice) % EXTENSIONS.len()];
    let (asked, own) = text.split_once('\0').unwrap_or((text, ""));
    let header = content_disposition(Some(asked), own, extension);
    let shown = header.to_str().expect("the header is visible ASCII");
    let rest = shown.strip_prefix("attachment;filename=\"").expect("it begins as it must");
    let (ascii, rest) = rest.split_once('"').expect("the name is quoted");
    check_name(ascii, extension);
    let extended = rest.strip_prefix("; filename*=UTF-8''");
    assert!(extended.is_some() || rest.is_empty(), "{shown}");
    let extended = extended.map(|encoded| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$&+-.^_`|~%".contains(c);
        assert!(encoded.chars().all(allowed), "{shown}");
        percent_decode_str(encoded).decode_utf8().expect("the name is UTF-8")
    });
    if let Some(extended) = &extended {
        check_name(extended, extension);
        assert_eq!(ascii.chars().count(), extended.chars().count(), "{shown}");
    }
    let name = extended.as_deref().unwrap_or(ascii);
    assert_eq!(content_disposition(Some(name), "other", extension), header, "asked for again");
}

fn check_name(name: &str, extension: &str) {
    let stem = name.strip_suffix(extension).and_then(|stem| stem.strip_suffix('.'));
    let stem = stem.unwrap_or_else(|| panic!("{name:?} does not end with .{extension}"));
    assert!(!stem.trim().is_empty() && stem.trim() == stem, "{name:?} is blank or has blanks around it");
    assert!(!stem.starts_with('.'), "{name:?} is hidden");
    assert!(name.len() <= NAME_BYTES_MAX, "{name:?} is too long");
    // Directional marks and line ends of Unicode: the name would not be what it seems.
    let misleading = |c: char| {
        c.is_control()
            || matches!(c, '/' | '\\' | '"' | '\'' | '\u{61c}' | '\u{200e}' | '\u{200f}')
            || ('\u{2028}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    assert!(!name.chars().any(misleading), "{name:?} misleads");
}

const ETAG: &str = "\"abc\"";

/// A line with the method and the file's size (`GET 100`), and header lines.
///
/// A part is inside the file and is only given if a GET requested one; HEAD is answered like a GET without a range. 412
/// and 304 are answered only if a condition demands them, and a condition that does not hold is never ignored. Several
/// lines of a list count as one line. A date that is written is read as the same date.
pub fn conditional_headers(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let first = lines.next().map(String::from_utf8_lossy).unwrap_or_default();
    let (method, bytes) = first.split_once(' ').unwrap_or((first.as_ref(), "100"));
    let bytes: u64 = bytes.trim().parse().unwrap_or(100);
    let method = if method == "HEAD" { Method::HEAD } else { Method::GET };
    let mut headers = HeaderMap::new();
    for line in lines.take(16) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        let (Ok(name), Ok(value)) = (name, value) else { continue };
        headers.append(name, value);
    }
    let modified = DateTime::from_timestamp(784_111_777, 999_000_000).expect("a time");
    let file = Validators { etag: ETAG.into(), modified, bytes };
    let selection = select(&method, &headers, &file);

    let has = |name: HeaderName| headers.contains_key(name);
    match &selection {
        Selection::Whole => {}
        Selection::Part(range) => {
            assert!(range.start < range.end && range.end <= bytes, "{range:?} of {bytes}");
            assert!(method == Method::GET && has(RANGE), "a part that nobody asked for");
            let condition = headers.get_all(IF_RANGE).iter().next().map(HeaderValue::as_bytes);
            let is_ours = |condition: &[u8]| {
                condition == ETAG.as_bytes() || String::from_utf8_lossy(condition).contains("8:49:37")
            };
            assert!(condition.is_none_or(is_ours), "a part of another file");
        }
        Selection::Unsatisfiable => assert!(method == Method::GET && has(RANGE)),
        Selection::NotModified => assert!(has(IF_NONE_MATCH) || has(IF_MODIFIED_SINCE)),
        Selection::PreconditionFailed => assert!(has(IF_MATCH) || has(IF_UNMODIFIED_SINCE)),
    }
    if has(IF_MATCH) {
        let listed = tags(&headers, IF_MATCH);
        let holds = listed == ["*"] || listed.iter().any(|tag| tag == ETAG);
        assert_eq!(selection == Selection::PreconditionFailed, !holds, "If-Match: {listed:?}");
    }
    if has(IF_NONE_MATCH) && selection != Selection::PreconditionFailed {
        let listed = tags(&headers, IF_NONE_MATCH);
        let is_ours = |tag: &String| tag == ETAG || tag.strip_prefix("W/") == Some(ETAG);
        let holds = !(listed == ["*"] || listed.iter().any(is_ours));
        assert_eq!(selection == Selection::NotModified, !holds, "If-None-Match: {listed:?}");
    }
    let mut plain = headers.clone();
    plain.remove(RANGE);
    let without = select(&Method::GET, &plain, &file);
    assert_eq!(select(&Method::HEAD, &headers, &file), without, "HEAD is as GET without a range");
    check_dates(bytes, &file, modified);
}

/// The elements of a list, from all of its lines.
fn tags(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
    let lines =
        headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
    lines.collect::<Vec<_>>().join(",").split(',').map(|tag| tag.trim().to_owned()).collect()
}

/// Any second up to the end of the year 9999, written and read again.
fn check_dates(seconds: u64, file: &Validators, modified: DateTime<Utc>) {
    let seconds = i64::try_from(seconds % 253_402_300_800).expect("it is below the end of the year 9999");
    let date = format_http_date(DateTime::from_timestamp(seconds, 0).expect("a time"));
    let value = HeaderValue::try_from(&date).expect("a date is visible ASCII");
    let since = select(&Method::GET, &HeaderMap::from_iter([(IF_MODIFIED_SINCE, value)]), file);
    assert_eq!(since == Selection::NotModified, modified.timestamp() <= seconds, "{date}");
}
