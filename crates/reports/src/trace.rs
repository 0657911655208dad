//! The trace that a request belongs to, in the form of W3C's Trace Context (<https://www.w3.org/TR/trace-context/>).
//!
//! Why here: a request brings it, the audit trail keeps it with the caller, and the relay sends it on.
//!
//! Invariants:
//! - ids are lower-case hex digits and not all zeros, so they fit into headers and the log;
//! - the trace id is the one that the request brought, if it brought a valid one; the span id is always ours;
//! - `tracestate` is kept only with a trace that the request brought, and is bounded.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of `tracestate` that are passed on.
pub const STATE_BYTES_MAX: usize = 512;
/// Members of a `tracestate` list; a longer list is not valid.
const STATE_MEMBERS_MAX: usize = 32;
/// Members longer than this are removed first when the list must become shorter.
const MEMBER_BYTES_LARGE: usize = 128;
/// Bytes of a member's key, and of its value.
const MEMBER_PART_BYTES_MAX: usize = 256;
/// Digits of a trace id and of a span id.
const TRACE_ID_DIGITS: usize = 32;
const SPAN_ID_DIGITS: usize = 16;
/// Bytes of a `traceparent` of version 00; those of later versions begin with as many.
const PARENT_BYTES: usize = 55;
/// The flag that says that the caller may have recorded the trace.
const SAMPLED: u8 = 1;

/// The target of the spans that a collector of traces may get. They are in the log too: a line has the names and fields of
/// the spans that it is within.
pub const TARGET: &str = "muster_trace";
/// The target of the spans of a plan's operators. They are made only if a collector is to get them.
pub const PLAN_TARGET: &str = "plan_steps";

/// A request's place in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    id: String,
    span: String,
    sampled: bool,
    state: Option<String>,
}

impl Trace {
    /// A trace that begins here. `request` is a fresh id of 32 lower-case hex digits: it becomes the id of the trace, and
    /// its second half that of the span.
    pub fn begin(request: &str) -> Self {
        Self { id: request.into(), span: span_of(request), sampled: false, state: None }
    }

    /// A trace that begins here with an id that was chosen before; the second half of `chosen` becomes the id of the span.
    /// Both are ids of 32 lower-case hex digits. So work that is done in several attempts has one trace, and each attempt a
    /// span of its own.
    pub fn chosen(id: &str, chosen: &str) -> Self {
        Self { id: id.into(), span: span_of(chosen), sampled: false, state: None }
    }

    /// The trace of a request that brought these headers of the names `traceparent` and `tracestate`, in their order.
    /// Where there is not exactly one valid `traceparent` a new trace begins; an invalid `tracestate` is left out.
    /// `request` is as in [`Trace::begin`].
    pub fn brought<'a>(
        parents: impl IntoIterator<Item = &'a [u8]>,
        states: impl IntoIterator<Item = &'a [u8]>,
        request: &str,
    ) -> Self {
        match only_parent(parents) {
            Some(Parent { id, sampled, .. }) => {
                Self { id, span: span_of(request), sampled, state: state(states) }
            }
            None => Self::begin(request),
        }
    }

    /// The id of the caller's span in a request that brought these headers of the name `traceparent`; `None` where
    /// [`Trace::brought`] begins a new trace.
    pub fn caller_span<'a>(parents: impl IntoIterator<Item = &'a [u8]>) -> Option<String> {
        only_parent(parents).map(|parent| parent.span)
    }

    /// Id of the trace: 32 lower-case hex digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Id of the request's span: 16 lower-case hex digits.
    pub fn span(&self) -> &str {
        &self.span
    }

    /// Whether those who take part in the trace should record it.
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// The same place, with this decision about whether the trace is recorded.
    #[must_use]
    pub fn with_sampled(self, sampled: bool) -> Self {
        Self { sampled, ..self }
    }

    /// The value of `traceparent` for what comes of this request.
    pub fn parent_header(&self) -> String {
        format!("00-{}-{}-{:02x}", self.id, self.span, if self.sampled { SAMPLED } else { 0 })
    }

    /// The value of `tracestate`, if the request brought one.
    pub fn state_header(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

/// Gives spans their place in the traces that are sent to a collector.
///
/// Why a port: those who ask make their spans with `tracing`, and need not be built with what sends them. Each call is about
/// the current span of the thread, which must not have a child yet.
pub trait Traces: Send + Sync {
    /// Makes the current span the one that `trace` names. `caller` is the id of the caller's span, if the request brought
    /// one. Returns whether the trace is sampled; `None` where no spans are sent.
    fn begin(&self, trace: &Trace, caller: Option<&str>) -> Option<bool>;

    /// Makes the current span a child of the one that `trace` names, which may be of another process.
    fn follow(&self, trace: &Trace);

    /// Sends a span of the trace that lasted `from` a time `until` another, in which something waited.
    fn waited(&self, name: &'static str, trace: &Trace, from: DateTime<Utc>, until: DateTime<Utc>);
}

/// Sends nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoTraces;

impl Traces for NoTraces {
    fn begin(&self, _: &Trace, _: Option<&str>) -> Option<bool> {
        None
    }

    fn follow(&self, _: &Trace) {}

    fn waited(&self, _: &'static str, _: &Trace, _: DateTime<Utc>, _: DateTime<Utc>) {}
}

/// The second half of a fresh id, which must not be all zeros.
fn span_of(request: &str) -> String {
    let half = &request[request.len().saturating_sub(SPAN_ID_DIGITS)..];
    half.max("0000000000000001").to_owned()
}

/// What a `traceparent` says.
struct Parent {
    id: String,
    span: String,
    sampled: bool,
}

/// What the header says, if there is exactly one and it is valid.
fn only_parent<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Option<Parent> {
    let mut headers = headers.into_iter();
    headers.next().and_then(parent).filter(|_| headers.next().is_none())
}

/// What a valid `traceparent` says.
fn parent(header: &[u8]) -> Option<Parent> {
    let header = std::str::from_utf8(header).ok()?.trim_matches([' ', '\t']);
    let known = header.get(..PARENT_BYTES)?;
    let mut parts = known.split('-');
    let mut hex = |digits| parts.next().filter(|part| is_hex(part, digits));
    let (version, id, span, flags) = (hex(2)?, hex(TRACE_ID_DIGITS)?, hex(SPAN_ID_DIGITS)?, hex(2)?);
    let zeros = |text: &str| text.bytes().all(|digit| digit == b'0');
    let goes_on = header.len() > PARENT_BYTES;
    // Later versions may continue after another hyphen.
    let fits = match version {
        "ff" => false,
        "00" => !goes_on,
        _ => !goes_on || header.as_bytes()[PARENT_BYTES] == b'-',
    };
    if !fits || zeros(id) || zeros(span) {
        return None;
    }
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some(Parent { id: id.to_owned(), span: span.to_owned(), sampled: flags & SAMPLED != 0 })
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The list that these `tracestate` headers make up together, if it is valid and not empty.
fn state<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Option<String> {
    let mut members = Vec::new();
    for header in headers {
        let header = std::str::from_utf8(header).ok()?;
        for member in header.split(',').map(|member| member.trim_matches([' ', '\t'])) {
            if member.is_empty() {
                continue;
            }
            if !is_member(member) || members.len() == STATE_MEMBERS_MAX {
                return None;
            }
            members.push(member);
        }
    }
    shorten(&mut members);
    (!members.is_empty()).then(|| members.join(","))
}

fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let next = |byte: u8| first(byte) || b"_-*/@".contains(&byte);
    let fits = |text: &str| (1..=MEMBER_PART_BYTES_MAX).contains(&text.len());
    fits(key)
        && key.bytes().next().is_some_and(first)
        && key.bytes().all(next)
        && fits(value)
        && value.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=')
}

/// Takes members out until the list is within its bound: large ones first, and then from the end, where those stand
/// that have not been changed for longest.
fn shorten(members: &mut Vec<&str>) {
    let bytes =
        |members: &[&str]| members.iter().map(|member| member.len() + 1).sum::<usize>().saturating_sub(1);
    while bytes(members) > STATE_BYTES_MAX {
        match members.iter().rposition(|member| member.len() > MEMBER_BYTES_LARGE) {
            Some(large) => drop(members.remove(large)),
            None => drop(members.pop()),
        }
    }
}

/// As it is kept: the two headers.
#[derive(Serialize, Deserialize)]
struct Kept {
    traceparent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracestate: Option<String>,
}

impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Kept { traceparent: self.parent_header(), tracestate: self.state.clone() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Trace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kept = Kept::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("traceparent is not valid: expected 00-TRACE-SPAN-FLAGS");
        let Parent { id, span, sampled } = parent(kept.traceparent.as_bytes()).ok_or_else(wrong)?;
        Ok(Self { id, span, sampled, state: kept.tracestate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = "00112233445566778899aabbccddeeff";
    /// The example of the specification.
    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn brought(parents: &[&str], states: &[&str]) -> Trace {
        Trace::brought(
            parents.iter().map(|parent| parent.as_bytes()),
            states.iter().map(|state| state.as_bytes()),
            REQUEST,
        )
    }

    #[test]
    fn a_valid_parent_is_continued_with_a_span_of_ours() {
        let ours = |flags: &str| format!("00-4bf92f3577b34da6a3ce929d0e0e4736-8899aabbccddeeff-{flags}");
        assert_eq!(brought(&[GIVEN], &[]).parent_header(), ours("01"));
        let of = |version: &str, rest: &str| {
            format!("{version}-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{rest}")
        };
        for (parent, flags) in [
            (of("00", "00"), "00"),
            // Flags that version 00 does not know are not passed on.
            (of("00", "fe"), "00"),
            (of("00", "ff"), "01"),
            (format!(" {GIVEN}\t"), "01"),
            (of("01", "01"), "01"),
            (of("cc", "01-what-comes-later"), "01"),
            (of("cc", "01-"), "01"),
        ] {
            assert_eq!(brought(&[&parent], &[]).parent_header(), ours(flags), "{parent}");
        }
    }

    #[test]
    fn with_anything_else_a_new_trace_begins() {
        let new = "00-00112233445566778899aabbccddeeff-8899aabbccddeeff-00";
        assert_eq!(Trace::begin(REQUEST).parent_header(), new);
        assert_eq!(brought(&[], &["vendor=1"]), Trace::begin(REQUEST));
        assert_eq!(brought(&[GIVEN, GIVEN], &[]), Trace::begin(REQUEST), "two headers");
        for wrong in [
            "",
            "garbage",
            "00",
            // Version ff, not hexadecimal, in capitals, too long, missing.
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "CC-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "000-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            // The trace id.
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47360-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473.-00f067aa0ba902b7-01",
            // The span id.
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b70-01",
            // The flags.
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-.0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-",
            // More than version 00 has, and more than a later version may have.
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
            // Other separators, and letters of more than one byte where the parts end.
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\u{e9}",
        ] {
            assert_eq!(brought(&[wrong], &["vendor=1"]), Trace::begin(REQUEST), "{wrong}");
        }
        assert_eq!(Trace::caller_span([GIVEN.as_bytes(), GIVEN.as_bytes()]), None);
        let no_text: &[u8] = b"\xff\xfe";
        assert_eq!(Trace::brought([no_text], [], REQUEST), Trace::begin(REQUEST));
    }

    #[test]
    fn the_span_of_the_caller_is_the_parent_of_ours() {
        assert_eq!(Trace::caller_span([GIVEN.as_bytes()]).as_deref(), Some("00f067aa0ba902b7"));
        assert_eq!(Trace::caller_span([b"00-x-y-01".as_slice()]), None);
        assert_eq!(Trace::caller_span([]), None);
        let trace = brought(&[GIVEN], &[]);
        assert_eq!((trace.span(), trace.is_sampled()), ("8899aabbccddeeff", true));
        assert!(trace.with_sampled(false).parent_header().ends_with("-00"));
    }

    #[test]
    fn ids_are_never_all_zeros() {
        let request = "a0000000000000000000000000000000";
        assert_eq!(Trace::begin(request).parent_header(), format!("00-{request}-0000000000000001-00"));
    }

    #[test]
    fn a_valid_state_is_passed_on_and_an_invalid_one_is_not() {
        let state = |headers: &[&str]| brought(&[GIVEN], headers).state_header().map(str::to_owned);
        let same = |text: &str| assert_eq!(state(&[text]).as_deref(), Some(text));
        same("congo=t61rcWkgMzE");
        same("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
        same("fw529a3039@dt=FfFf,0digit=a b!,a_-*/=~");
        same(&format!("{}={}", "k".repeat(200), "v".repeat(256)));
        assert_eq!(
            state(&["a=1 ,\tb=2", " c=3,, "]).as_deref(),
            Some("a=1,b=2,c=3"),
            "several headers are one list"
        );
        let members = |count: usize| (0..count).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
        same(&members(32));
        let long = format!("{}=1", "k".repeat(257));
        let long_value = format!("k={}", "v".repeat(257));
        for wrong in [
            "",
            " ,\t, ",
            "a",
            "a=",
            "=1",
            "A=1",
            "_a=1",
            "a b=1",
            "a=1=2",
            "a=\u{e9}",
            "a=b\u{7f}",
            "a=b\tc",
        ]
        .into_iter()
        .chain([members(33).as_str(), &long, &long_value, "a=1,B=2"])
        {
            let trace = brought(&[GIVEN], &[wrong]);
            assert_eq!(
                (trace.state_header(), trace.id()),
                (None, "4bf92f3577b34da6a3ce929d0e0e4736"),
                "{wrong}"
            );
        }
    }

    /// The specification's order: entries of more than 128 characters, then from the end.
    #[test]
    fn a_long_state_is_cut_at_its_members() {
        let large = format!("large={}", "x".repeat(130));
        let small: Vec<_> = (0..8).map(|n| format!("k{n}={}", "v".repeat(57))).collect();
        let given = format!("{large},{}", small.join(","));
        let trace = brought(&[GIVEN], &[&given]);
        assert_eq!(trace.state_header(), Some(small.join(",").as_str()), "487 bytes are left");
        let nine = format!("{},last={}", small.join(","), "z".repeat(50));
        let trace = brought(&[GIVEN], &[&nine]);
        assert_eq!(trace.state_header(), Some(small.join(",").as_str()));
    }

    #[test]
    fn what_is_kept_comes_back() {
        for trace in [brought(&[GIVEN], &["a=1,b=2"]), brought(&[GIVEN], &[]), Trace::begin(REQUEST)] {
            let text = serde_json::to_string(&trace).expect("it is plain");
            assert_eq!(serde_json::from_str::<Trace>(&text).expect("it comes back"), trace, "{text}");
        }
        let wrong = serde_json::from_str::<Trace>(r#"{"traceparent":"00-x-y-01"}"#);
        assert!(wrong.is_err_and(|error| error.to_string().contains("traceparent is not valid")));
    }
}
