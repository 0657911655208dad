//! Arguments of a report.

use super::REASON_BYTES_MAX;
use crate::input;
use muster_reports::arguments::{ArgumentValue, UnknownNames, check_names};
use muster_reports::{Arguments, Catalogue};
use serde_json::{Map, Value};
use std::sync::LazyLock;

static DEFINITIONS: LazyLock<Catalogue> = LazyLock::new(Catalogue::built_in);

/// The JSON of `arguments`, checked against every report of the product.
///
/// Accepted arguments are written as a text that reads back as the same arguments, and the same text given again as
/// arguments is accepted unchanged; every required argument is present. Each refusal and each warning has a reason of
/// one short line.
pub fn report_arguments(data: &[u8]) {
    let Ok(given) = serde_json::from_slice::<Value>(data) else { return };
    let raw = match input::arguments(Some(&given)) {
        Ok(raw) => raw,
        Err(failure) => {
            assert!(!given.is_object() && !given.is_null(), "an object is refused");
            return check_reason(failure.cause());
        }
    };
    for definition in DEFINITIONS.iter() {
        let specs = || definition.all_arguments();
        match Arguments::check(specs(), &raw) {
            Ok(checked) => {
                let text = checked.canonical();
                assert_eq!(Arguments::from_canonical(&text).expect("canonical text reads back"), checked);
                let again = input::arguments(Some(&as_given(&checked))).expect("an object");
                let again = Arguments::check(specs(), &again);
                assert_eq!(again.expect("checked arguments are taken"), checked);
                for argument in specs().filter(|argument| argument.required) {
                    assert!(checked.get(&argument.name).is_some(), "{} is missing", argument.name);
                }
            }
            Err(error) => {
                check_reason(&error.message);
                let names_one = specs().any(|argument| error.message.contains(&argument.name));
                assert!(names_one, "{:?} names no argument", error.message);
            }
        }
        let warned = check_names(specs(), &raw, UnknownNames::Warn);
        let refused = check_names(specs(), &raw, UnknownNames::Refuse);
        for message in warned.iter().flatten() {
            check_reason(&message.text);
        }
        for error in [&warned, &refused].into_iter().filter_map(|checked| checked.as_ref().err()) {
            check_reason(&error.message);
        }
        // With strict names, everything that would give a warning is refused.
        assert!(
            refused
                .as_ref()
                .map_or(true, |messages| messages.is_empty() && warned.is_ok_and(|w| w.is_empty()))
        );
    }
}

fn check_reason(reason: &str) {
    assert!(reason.len() <= REASON_BYTES_MAX, "a reason of {} bytes", reason.len());
    assert!(!reason.chars().any(char::is_control), "{reason:?} is more than a line");
}

/// Checked arguments as a client would send them.
fn as_given(checked: &Arguments) -> Value {
    let value = |value: &ArgumentValue| match value {
        ArgumentValue::Boolean(flag) => Value::Bool(*flag),
        ArgumentValue::Number(number) => Value::from(*number),
        ArgumentValue::Text(text) => Value::String(text.clone()),
        ArgumentValue::Texts(texts) => texts.iter().cloned().collect(),
    };
    let pairs = checked.iter().map(|(name, argument)| (name.to_owned(), value(argument)));
    Value::Object(pairs.collect::<Map<_, _>>())
}
