//! What of a span may leave the machine: a list of spans and of their attributes.
//!
//! Why a list of what may leave, and not of what must not: whoever adds a field to a span must add it here too, and thinks
//! of the people whose data it may have. Events, links, the trace state and texts of errors are never sent.

use muster_reports::trace::PLAN_TARGET;
use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceState};
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

/// The attribute in which the layer of `tracing` says the target of a span.
const TARGET_KEY: &str = "target";
/// Start of the fields that an operator of a plan records when it has ended.
const OPERATOR_PREFIX: &str = "datafusion.metrics.";
/// Longest text that is sent.
const TEXT_BYTES_MAX: usize = 128;
/// Longest figure of an operator, such as `1.25ms` or `12.0 MB`.
const FIGURE_BYTES_MAX: usize = 24;

/// What an attribute may be.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// A whole number.
    Number,
    /// A short text of visible ASCII characters: an id of ours, or a name from a fixed set.
    Text,
    /// A method of HTTP. Others are whatever a client sends.
    Method,
}

/// A span that is sent, and its attributes: the field, the attribute's name, its form.
struct Allowed {
    span: &'static str,
    attributes: &'static [(&'static str, &'static str, Form)],
}

const REPORT: (&str, &str, Form) = ("report", "muster.report", Form::Text);
const TASK: (&str, &str, Form) = ("task", "muster.task", Form::Text);
const ROWS: (&str, &str, Form) = ("rows", "muster.rows", Form::Number);

/// Methods that are sent. Others become `_OTHER`, as the conventions for HTTP have it.
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// All spans but those of the operators of plans.
const SPANS: &[Allowed] = &[
    Allowed {
        span: "request",
        attributes: &[
            ("method", "http.request.method", Form::Method),
            ("route", "http.route", Form::Text),
            ("status", "http.response.status_code", Form::Number),
            ("bytes", "http.response.body.size", Form::Number),
            ("tracking_id", "muster.tracking_id", Form::Text),
        ],
    },
    Allowed { span: "start", attributes: &[REPORT, TASK] },
    Allowed { span: "queued", attributes: &[] },
    Allowed {
        span: "run",
        attributes: &[
            REPORT,
            TASK,
            ("attempt", "muster.attempt", Form::Number),
            ("epoch", "muster.epoch", Form::Number),
            ("end", "muster.end", Form::Text),
            ROWS,
        ],
    },
    Allowed { span: "plan", attributes: &[] },
    Allowed { span: "rows", attributes: &[ROWS] },
    Allowed { span: "count", attributes: &[ROWS] },
    Allowed { span: "charts", attributes: &[] },
    Allowed { span: "files", attributes: &[("files", "muster.files", Form::Number)] },
    Allowed { span: "publish", attributes: &[] },
    Allowed {
        span: "schedule",
        attributes: &[
            ("schedule", "muster.schedule", Form::Text),
            ("attempt", "muster.attempt", Form::Number),
        ],
    },
    Allowed { span: "refresh", attributes: &[] },
    Allowed {
        span: "deliver",
        attributes: &[
            TASK,
            ("channel", "muster.channel", Form::Text),
            ("attempt", "muster.attempt", Form::Number),
            ("end", "muster.end", Form::Text),
        ],
    },
];

/// Figures of an operator that are sent. They are counts, sizes and times.
const FIGURES: &[&str] = &[
    "output_rows",
    "output_bytes",
    "elapsed_compute",
    "spill_count",
    "spilled_bytes",
    "spilled_rows",
    "bytes_scanned",
    "build_input_rows",
    "build_mem_used",
    "build_time",
    "join_time",
    "peak_mem_used",
];

/// The span with what may leave of it.
pub(crate) fn reduced(span: SpanData) -> SpanData {
    let is_operator = span
        .attributes
        .iter()
        .any(|pair| pair.key.as_str() == TARGET_KEY && text_of(&pair.value) == Some(PLAN_TARGET));
    let (name, attributes) = if is_operator { operator(&span) } else { listed(&span) };
    let context = &span.span_context;
    SpanData {
        span_context: SpanContext::new(
            context.trace_id(),
            context.span_id(),
            context.trace_flags(),
            context.is_remote(),
            TraceState::NONE,
        ),
        span_kind: if span.name == "request" { SpanKind::Server } else { SpanKind::Internal },
        name: name.into(),
        attributes,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: match span.status {
            Status::Error { .. } => Status::error(""),
            Status::Ok => Status::Ok,
            Status::Unset => Status::Unset,
        },
        ..span
    }
}

/// Name and attributes of a span of the list.
fn listed(span: &SpanData) -> (String, Vec<KeyValue>) {
    let Some(allowed) = SPANS.iter().find(|allowed| allowed.span == span.name) else {
        return ("span".into(), Vec::new());
    };
    let attributes: Vec<KeyValue> = allowed
        .attributes
        .iter()
        .filter_map(|(field, name, form)| {
            // Of a field that was recorded again, the last value counts.
            let found = span.attributes.iter().rev().find(|pair| pair.key.as_str() == *field)?;
            Some(KeyValue::new(*name, in_form(&found.value, *form)?))
        })
        .collect();
    (name_of(allowed.span, &attributes), attributes)
}

/// A request is named by its method and route, as the conventions for HTTP have it; other spans have their own name.
fn name_of(span: &str, attributes: &[KeyValue]) -> String {
    let of = |name: &str| {
        let found = attributes.iter().find(|pair| pair.key.as_str() == name);
        found.and_then(|pair| text_of(&pair.value)).filter(|text| !text.is_empty())
    };
    match (of("http.request.method"), of("http.route")) {
        (Some(method), Some(route)) => format!("{method} {route}"),
        (Some(method), None) => method.to_owned(),
        (None, Some(_) | None) => span.to_owned(),
    }
}

/// An operator of a plan is named by its type, and has figures only: neither expressions nor names of files.
fn operator(span: &SpanData) -> (String, Vec<KeyValue>) {
    let is_type =
        span.name.len() <= TEXT_BYTES_MAX && span.name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let name = if is_type { span.name.clone().into_owned() } else { "operator".to_owned() };
    let figures = span.attributes.iter().filter_map(|pair| {
        let figure = pair.key.as_str().strip_prefix(OPERATOR_PREFIX)?;
        let figure = FIGURES.iter().find(|known| **known == figure)?;
        Some(KeyValue::new(Key::new(format!("muster.plan.{figure}")), in_figures(&pair.value)?))
    });
    (name, figures.collect())
}

fn text_of(value: &Value) -> Option<&str> {
    if let Value::String(text) = value { Some(text.as_str()) } else { None }
}

/// The value, if it has the form that is expected.
fn in_form(value: &Value, form: Form) -> Option<Value> {
    match (form, value) {
        (Form::Number, Value::I64(number)) => Some(Value::I64(*number)),
        // Numbers without a sign are recorded as texts.
        (Form::Number, Value::String(text)) => text.as_str().parse().ok().map(Value::I64),
        (Form::Text, Value::String(text)) => {
            let text = text.as_str();
            let fits = text.len() <= TEXT_BYTES_MAX && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            fits.then(|| Value::from(text.to_owned()))
        }
        (Form::Method, Value::String(text)) => {
            let known = METHODS.iter().find(|method| **method == text.as_str());
            Some(Value::from(*known.unwrap_or(&"_OTHER")))
        }
        _ => None,
    }
}

/// A number, or a number with its unit.
fn in_figures(value: &Value) -> Option<Value> {
    let text = text_of(value)?;
    if let Ok(number) = text.parse() {
        return Some(Value::I64(number));
    }
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ',');
    let is_figure = unit.len() < text.len()
        && text.len() <= FIGURE_BYTES_MAX
        && ["B", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "ns", "µs", "ms", "s", "K", "M"]
            .contains(&unit.trim());
    is_figure.then(|| Value::from(text.to_owned()))
}

#[cfg(test)]
mod tests;
