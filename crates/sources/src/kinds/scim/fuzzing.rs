//! What holds for every answer of a SCIM service.

use serde_json::Value;

use super::members::member;
use super::service::page;
use super::values::flatten;
use crate::account::{AccountSettings, AccountSink, FlagCondition, Record};
use crate::fuzzing::rows::{Outcome, check, take};
use crate::named_columns::NamedColumns;

/// The body of an answer.
///
/// Of a page every element is a resource or counted as broken; what holds for every reader holds for its resources, and
/// a password is never an attribute.
pub fn scim_page(data: &[u8]) {
    let Ok(body) = serde_json::from_slice::<Value>(data) else { return };
    let resources = body.as_object().and_then(|body| member(body, "Resources"));
    let elements = resources.and_then(Value::as_array).map_or(0, Vec::len);
    let Some(page) = page(Some(body)) else { return };
    assert_eq!(page.resources.len() + page.broken, elements);
    let locked = FlagCondition { attribute: "locked".to_owned(), values: None, present: false };
    let settings = AccountSettings {
        name: Some("userName".to_owned()),
        entitlements: vec!["groups".to_owned(), "roles".to_owned()],
        locked: Some(locked),
        ..AccountSettings::new("id")
    };
    let mut sink = AccountSink::new(settings, NamedColumns::default());
    for user in page.resources {
        let fields = flatten(user);
        for (name, values) in &fields {
            let own = name.rsplit([':', '.']).next().unwrap_or_default();
            assert!(!own.eq_ignore_ascii_case("password") && !values.is_empty(), "{name} of {fields:?}");
        }
        sink.push(Record { fields, ..Record::default() });
    }
    let (mut rows, mut rejections) = (Vec::new(), Vec::new());
    if let Some(batch) = sink.take().expect("records are of one schema") {
        take(batch, &mut rows, &mut rejections);
    }
    check(&Outcome { rows, rejections, summary: sink.summary(None).expect("no name is wanted") });
}
