//! Conditions and ranges of a download (RFC 9110, sections 13 and 14).
//!
//! The entity tag is the file's SHA-256, so it is strong: equal tags are equal bytes.

use axum::http::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use axum::http::{HeaderMap, Method};
use chrono::{DateTime, NaiveDateTime, Timelike, Utc};
use std::ops::Range;

/// What conditions are compared with.
pub(crate) struct Validators {
    /// Quoted, as in the header.
    pub(crate) etag: String,
    /// When the file was published; compared to the second.
    pub(crate) modified: DateTime<Utc>,
    /// Size in bytes.
    pub(crate) bytes: u64,
}

/// What to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// 200 and the whole file.
    Whole,
    /// 206 and these bytes.
    Part(Range<u64>),
    /// 304: the caller has it.
    NotModified,
    /// 412: a condition does not hold.
    PreconditionFailed,
    /// 416: no byte of the range is in the file.
    Unsatisfiable,
}

/// Decides from the headers of a request.
pub(crate) fn select(method: &Method, headers: &HeaderMap, file: &Validators) -> Selection {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // An unreadable condition counts as one that does not hold, not as an absent one.
    let condition = |name: HeaderName| {
        let mut lines = headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
        let first = lines.next()?.into_owned();
        // A list may be spread over several lines (RFC 9110, section 5.3).
        Some(lines.fold(first, |list, line| list + "," + &line))
    };
    let modified = file.modified.with_nanosecond(0).unwrap_or(file.modified);
    if let Some(tags) = condition(IF_MATCH) {
        if !lists(&tags, &file.etag, Strength::Strong) {
            return Selection::PreconditionFailed;
        }
    } else if let Some(since) = text(IF_UNMODIFIED_SINCE).and_then(http_date)
        && modified > since
    {
        return Selection::PreconditionFailed;
    }
    if let Some(tags) = condition(IF_NONE_MATCH) {
        if lists(&tags, &file.etag, Strength::Weak) {
            return Selection::NotModified;
        }
    } else if let Some(since) = text(IF_MODIFIED_SINCE).and_then(http_date)
        && modified <= since
    {
        return Selection::NotModified;
    }
    let current = condition(IF_RANGE).is_none_or(|condition| match http_date(&condition) {
        Some(date) => date == modified,
        None => condition.trim() == file.etag,
    });
    match text(RANGE) {
        Some(range) if current && method == Method::GET => byte_range(range, file.bytes),
        Some(_) | None => Selection::Whole,
    }
}

enum Strength {
    Strong,
    Weak,
}

/// Whether a list of entity tags holds `etag`.
fn lists(tags: &str, etag: &str, strength: Strength) -> bool {
    tags.trim() == "*"
        || tags.split(',').map(str::trim).any(|tag| match strength {
            Strength::Strong => tag == etag,
            Strength::Weak => tag.strip_prefix("W/").unwrap_or(tag) == etag,
        })
}

/// One byte range. Anything that is not one (another unit, several ranges, nonsense) is ignored, as
/// RFC 9110 section 14.2 permits.
fn byte_range(text: &str, bytes: u64) -> Selection {
    let Some((unit, range)) = text.split_once('=') else { return Selection::Whole };
    let Some((first, last)) = range.trim().split_once('-') else { return Selection::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Selection::Whole;
    }
    // Digits only: `parse` alone would accept a sign. A number above the largest integer is past the end.
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (first, number(first), last, number(last)) {
        ("", _, _, Some(0)) => Selection::Unsatisfiable,
        ("", _, _, Some(suffix)) if bytes > 0 => Selection::Part(bytes.saturating_sub(suffix)..bytes),
        ("", _, _, Some(_)) => Selection::Unsatisfiable,
        (_, Some(first), "", _) if first < bytes => Selection::Part(first..bytes),
        (_, Some(first), _, Some(last)) if first <= last && first < bytes => {
            Selection::Part(first..last.saturating_add(1).min(bytes))
        }
        (_, Some(_), "", _) => Selection::Unsatisfiable,
        (_, Some(first), _, Some(last)) if first <= last => Selection::Unsatisfiable,
        _ => Selection::Whole,
    }
}

/// A date as HTTP writes it.
pub(crate) fn format_http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The three forms of RFC 9110 section 5.6.7.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .into_iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text.trim(), format).ok())
        .map(|at| at.and_utc())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use axum::http::HeaderValue;

    const ETAG: &str = "\"abc\"";

    fn selected(method: Method, headers: &[(&str, &str)]) -> Selection {
        let mut given = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            given.append(name.parse::<HeaderName>().unwrap(), value);
        }
        // 784111777 is 1994-11-06T08:49:37Z, the date of the RFC's own examples.
        let modified = DateTime::from_timestamp(784_111_777, 999_000_000).unwrap();
        select(&method, &given, &Validators { etag: ETAG.into(), modified, bytes: 100 })
    }

    #[test]
    fn ranges_are_read_as_rfc_9110_has_them() {
        use Selection::{Part, Unsatisfiable, Whole};
        for (range, expected) in [
            ("bytes=0-0", Part(0..1)),
            ("bytes=10-19", Part(10..20)),
            ("bytes=90-", Part(90..100)),
            ("bytes=90-1000", Part(90..100)),
            ("bytes=-30", Part(70..100)),
            ("bytes=-1000", Part(0..100)),
            ("Bytes=5-", Part(5..100)),
            ("bytes=0-99999999999999999999999", Part(0..100)),
            ("bytes=100-", Unsatisfiable),
            ("bytes=100-200", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=0-1,5-6", Whole),
            ("bytes=9-5", Whole),
            ("bytes=+1-5", Whole),
            ("bytes=a-b", Whole),
            ("bytes=-", Whole),
            ("lines=1-2", Whole),
            ("0-5", Whole),
        ] {
            assert_eq!(selected(Method::GET, &[("range", range)]), expected, "{range}");
        }
        assert_eq!(selected(Method::HEAD, &[("range", "bytes=0-0")]), Whole);
    }

    #[test]
    fn conditions_are_decided_in_their_order() {
        use Selection::{NotModified, Part, PreconditionFailed, Whole};
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let earlier = "Sun, 06 Nov 1994 08:49:36 GMT";
        let cases: [(&[(&str, &str)], Selection); 23] = [
            (&[("if-none-match", ETAG)], NotModified),
            (&[("if-none-match", "W/\"abc\"")], NotModified),
            (&[("if-none-match", "\"x\", \"abc\"")], NotModified),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-none-match", "\"x\"")], Whole),
            (&[("if-none-match", "\"x\""), ("if-modified-since", date)], Whole),
            (&[("if-modified-since", date)], NotModified),
            (&[("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT")], NotModified),
            (&[("if-modified-since", "Sun Nov  6 08:49:37 1994")], NotModified),
            (&[("if-modified-since", earlier)], Whole),
            (&[("if-modified-since", "yesterday")], Whole),
            (&[("if-match", "W/\"abc\"")], PreconditionFailed),
            (&[("if-match", "\"x\""), ("if-match", ETAG)], Whole),
            (&[("if-match", "\"é\"")], PreconditionFailed),
            (&[("if-none-match", "\"x\""), ("if-none-match", ETAG)], NotModified),
            (&[("if-range", "\"é\""), ("range", "bytes=0-0")], Whole),
            (&[("if-none-match", "\"é\""), ("if-modified-since", date)], Whole),
            (&[("if-match", ETAG), ("range", "bytes=0-0")], Part(0..1)),
            (&[("if-unmodified-since", earlier)], PreconditionFailed),
            (&[("if-range", ETAG), ("range", "bytes=0-0")], Part(0..1)),
            (&[("if-range", "\"x\""), ("range", "bytes=0-0")], Whole),
            (&[("if-range", date), ("range", "bytes=0-0")], Part(0..1)),
            (&[("if-range", earlier), ("range", "bytes=0-0")], Whole),
        ];
        for (headers, expected) in cases {
            assert_eq!(selected(Method::GET, headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn dates_are_written_as_the_rfc_writes_them() {
        let at = DateTime::from_timestamp(784_111_777, 0).unwrap();
        assert_eq!(format_http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
