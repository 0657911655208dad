//! Histories of one identity, each worked out by hand.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::schedule::time_zone;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn item(id: &str, detail: AccessDetail) -> Arc<AccessItem> {
    Arc::new(AccessItem {
        id: id.into(),
        name: Some(format!("name of {id}")),
        source: AccessSource::default(),
        description: None,
        detail,
    })
}

fn account(id: &str, status: AccountStatus) -> Arc<AccessItem> {
    item(id, AccessDetail::Account { native_identity: id.into(), entitlements: 0, status })
}

fn role(id: &str) -> Arc<AccessItem> {
    item(id, AccessDetail::Role { revocable: None })
}

fn state(attributes: &[(&str, &[&str])], access: &[Arc<AccessItem>]) -> Option<Arc<IdentityState>> {
    let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    Some(Arc::new(IdentityState {
        display_name: None,
        created: None,
        left: None,
        attributes: attributes.iter().map(|(name, of)| ((*name).to_owned(), values(of))).collect(),
        access: access.to_vec(),
    }))
}

fn snapshots(states: &[(&str, Option<Arc<IdentityState>>)]) -> Vec<SnapshotState> {
    states.iter().map(|(taken, state)| SnapshotState { taken: at(taken), state: state.clone() }).collect()
}

fn told(events: &[HistoryEvent]) -> Vec<String> {
    let change = |change: &Change| match change {
        Change::Attributes(changes) => {
            let one = |change: &AttributeChange| {
                format!("{} {}>{}", change.name, change.before.join("+"), change.since.join("+"))
            };
            changes.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        Change::Status { account, before, since } => format!("{} {before:?}>{since:?}", account.id),
        Change::Removed(item) => format!("-{} {}", item.kind().as_str(), item.id),
        Change::Added(item) => format!("+{} {}", item.kind().as_str(), item.id),
    };
    events.iter().map(|event| format!("{} {}", event.at.format("%d"), change(&event.change))).collect()
}

#[test]
fn an_event_is_a_difference_of_consecutive_snapshots() {
    use AccountStatus::{Disabled, Enabled, Locked};
    let states = snapshots(&[
        ("2026-01-06T00:00:00Z", None),
        ("2026-01-05T00:00:00Z", state(&[("city", &["Rome", "Bern"])], &[account("a", Locked), role("a")])),
        ("2026-01-04T00:00:00Z", state(&[("city", &["Rome"])], &[account("a", Disabled), role("r")])),
        ("2026-01-03T00:00:00Z", state(&[("team", &["x"])], &[account("a", Enabled), account("b", Enabled)])),
        ("2026-01-02T00:00:00Z", None),
        ("2026-01-01T00:00:00Z", state(&[], &[role("old")])),
    ]);
    let expected = [
        "06 -account a",
        "06 -role a",
        "05 city Rome>Rome+Bern",
        "05 a Disabled>Locked",
        "05 -role r",
        "05 +role a",
        "04 city >Rome, team x>",
        "04 a Enabled>Disabled",
        "04 -account b",
        "04 +role r",
        // Whoever joins gains what he has; his attributes have no earlier values.
        "03 +account a",
        "03 +account b",
        "02 -role old",
    ];
    assert_eq!(told(&events(&states)), expected);
    assert!(events(&states[5..]).is_empty(), "the first snapshot is where the history begins");
    assert!(events(&[]).is_empty());
}

#[test]
fn bars_begin_when_the_clocks_of_the_zone_say_so() {
    let utc = time_zone("UTC").unwrap();
    let berlin = time_zone("Europe/Berlin").unwrap();
    // In Beirut, clocks were set forward at midnight on 2024-03-31.
    let beirut = time_zone("Asia/Beirut").unwrap();
    let change = |text: &str| HistoryEvent { at: at(text), change: Change::Added(role("r")) };
    let bars = |times: &[&str], interval, zone| {
        let events: Vec<_> = times.iter().map(|time| change(time)).collect();
        let bar = |(start, count): (DateTime<Utc>, u64)| format!("{} {count}", start.to_rfc3339());
        histogram(&events, interval, zone).into_iter().map(bar).collect::<Vec<_>>()
    };
    let times =
        ["2024-02-29T23:30:00Z", "2024-03-01T00:30:00Z", "2024-03-31T22:30:00Z", "2024-03-31T12:00:00Z"];
    assert_eq!(
        bars(&times, Interval::Month, utc),
        ["2024-03-01T00:00:00+00:00 3", "2024-02-01T00:00:00+00:00 1"]
    );
    assert_eq!(
        bars(&times, Interval::Month, berlin),
        ["2024-03-31T22:00:00+00:00 1", "2024-02-29T23:00:00+00:00 3"]
    );
    assert_eq!(
        bars(&times[2..], Interval::Day, berlin),
        ["2024-03-31T22:00:00+00:00 1", "2024-03-30T23:00:00+00:00 1"]
    );
    assert_eq!(bars(&times[3..], Interval::Day, beirut), ["2024-03-30T22:00:00+00:00 1"]);
}

#[test]
fn times_are_read_as_clients_write_them() {
    assert_eq!(moment("date", "2026-03-31").unwrap(), at("2026-03-31T23:59:59.999Z"));
    assert_eq!(edge("from", "2026-03-31").unwrap(), at("2026-03-31T00:00:00Z"));
    assert_eq!(moment("date", "2026-03-31T02:00:00.123+02:00").unwrap(), at("2026-03-31T00:00:00.123Z"));
    for text in ["", "yesterday", "2026-02-30", "31.03.2026", "2026-03-31T12:00:00"] {
        let refused = edge("from", text).unwrap_err().message;
        assert!(refused.starts_with(&format!("from is {text:?}: expected a time such as")), "{refused}");
    }
    assert_eq!(Interval::Month.after(at("2026-01-31T00:00:00Z")), at("2026-02-28T00:00:00Z"));
    assert_eq!(Interval::Day.after(at("2026-02-28T12:00:00Z")), at("2026-03-01T12:00:00Z"));
}

#[test]
fn types_are_those_that_are_published() {
    for kind in AccessType::ALL {
        assert_eq!(kind.as_str().parse::<AccessType>().unwrap(), kind);
    }
    let refused = "rolle".parse::<AccessType>().unwrap_err().message;
    assert_eq!(
        refused,
        "\"rolle\" is not a type of access item: the nearest name is \"role\"; expected one of accessProfile, account, \
         app, entitlement, role"
    );
}
