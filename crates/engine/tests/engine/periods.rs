//! Reports over a period: what changed from snapshot to snapshot, worked out by hand.

use crate::installation::{Installation, Ran, block_on};
use muster_engine::ReportRows;
use muster_reports::SnapshotManifest;
use muster_reports::arguments::RawValue;
use muster_reports::caller::DataScope;
use muster_reports::ids::SourceId;
use muster_testkit::definitions;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An installation and its snapshots, of 2026-01-01 at 01:00, 02:00 and so on; the last one is the installation's.
struct Period {
    installation: Installation,
    snapshots: Vec<Arc<SnapshotManifest>>,
}

impl Period {
    fn new() -> Self {
        Self { installation: Installation::new(), snapshots: Vec::new() }
    }

    fn refresh(&mut self, hr: &str, directory: &str) {
        let attributes =
            [("uid", "id"), ("lastname", "id"), ("email", "mail"), ("dept", "dept"), ("manager", "boss")];
        let ends = "[profile.dates]\nends = { from = \"ends\" }\n";
        let people = definitions::people(&attributes) + ends + definitions::LIFECYCLE;
        self.installation.source(&people, "hr.csv", &format!("id,mail,dept,boss,status,ends\n{hr}"));
        self.installation.source(
            &definitions::accounts("Directory", "dir.csv", '|'),
            "dir.csv",
            &format!("dn,emp,off,groups\n{directory}"),
        );
        self.installation.refresh();
        self.snapshots.extend(self.installation.manifest.clone());
    }

    /// A report over the snapshots from number `from` to number `to`.
    fn between(&self, from: usize, to: usize, kind: &str, arguments: &[(&str, RawValue)]) -> Ran {
        self.scoped(from, to, kind, arguments, &DataScope::Everything)
    }

    fn scoped(
        &self,
        from: usize,
        to: usize,
        kind: &str,
        arguments: &[(&str, RawValue)],
        scope: &DataScope,
    ) -> Ran {
        let earlier = &self.snapshots[from..to];
        let ran = self.installation.report_over(&self.snapshots[to], earlier, kind, arguments, scope);
        let counted = &ran.reconciliation;
        assert_eq!(counted.reported, counted.expected, "{kind}: {counted:?}");
        for subtotal in &counted.subtotals {
            let sum = subtotal.parts.iter().map(|part| part.rows).sum::<u64>();
            assert_eq!(sum, counted.reported, "{kind}: {counted:?}");
        }
        ran
    }

    fn whole(&self, kind: &str, arguments: &[(&str, RawValue)]) -> Ran {
        self.between(0, self.snapshots.len() - 1, kind, arguments)
    }
}

/// What happens:
/// - 02:00: 1 moves from department A to B, 3 gets the manager 2; a loses y and gains z; 2 gets the account d with w.
/// - 03:00: nothing.
/// - 04:00: 1 moves back to A, the contract of 3 gets an end, 2 is not in HR any more, 4 is new; b is disabled, a has y again,
///   d is gone.
/// - 05:00: c belongs to 1 instead of 3.
fn period() -> Period {
    let mut period = Period::new();
    period.refresh(
        "1,one@x,A,,A,\n2,two@x,A,,A,\n3,three@x,A,1,A,\n",
        "a,1,no,x|y\nb,2,no,x\nc,3,no,\ng,9,no,x\n",
    );
    let second = (
        "1,one@x,B,,A,\n2,two@x,A,,A,\n3,three@x,A,2,A,\n",
        "a,1,no,x|z\nb,2,no,x\nc,3,no,\nd,2,no,w\ng,9,no,x\n",
    );
    period.refresh(second.0, second.1);
    period.refresh(second.0, second.1);
    let people = "1,one@x,A,,A,\n3,three@x,A,2,A,2026-12-31\n4,four@x,A,,A,\n";
    period.refresh(people, "a,1,no,x|z|y\nb,2,yes,x\nc,3,no,\ng,9,no,x\n");
    period.refresh(people, "a,1,no,x|z|y\nb,2,yes,x\nc,1,no,\ng,9,no,x\n");
    period
}

/// Cells of a row with `|` between them; times are their hours.
fn rows(ran: &Ran, columns: &[&str]) -> Vec<String> {
    let columns: Vec<_> = columns.iter().map(|name| ran.column(name)).collect();
    let short = |cell: &str| match cell.strip_prefix("2026-01-01T") {
        Some(time) => time.replace(":00:00.000Z", "h"),
        None => cell.to_owned(),
    };
    (0..ran.rows.len())
        .map(|row| columns.iter().map(|column| short(column[row])).collect::<Vec<_>>().join("|"))
        .collect()
}

const OF_PEOPLE: [&str; 7] = ["identityName", "change", "attribute", "old", "new", "lastBefore", "firstSeen"];

#[test]
fn each_change_of_a_person_has_the_snapshots_between_which_it_happened() {
    let period = period();
    let ran = period.whole("IDENTITY_CHANGES", &[]);
    let found = rows(&ran, &OF_PEOPLE);
    let end = found.iter().position(|row| row.starts_with("3|CHANGED|ends|")).unwrap();
    assert!(found[end].starts_with("3|CHANGED|ends||2026-12-31T23:59:59"), "{found:?}");
    let rest: Vec<_> =
        found.iter().enumerate().filter(|(at, _)| *at != end).map(|(_, row)| row.as_str()).collect();
    assert_eq!(
        rest,
        [
            "1|CHANGED|attributes.dept|A|B|01h|02h",
            "1|CHANGED|attributes.dept|B|A|03h|04h",
            "2|CHANGED|authoritativeSource|HR||03h|04h",
            "2|CHANGED|correlated|true|false|03h|04h",
            "2|CHANGED|identityProfile|Employees||03h|04h",
            "3|CHANGED|attributes.manager|1|2|01h|02h",
            "3|CHANGED|manager|1|2|01h|02h",
            "4|NEW||||03h|04h",
        ]
    );
    assert_eq!(ran.column("gapHours"), vec!["1"; 9]);
    assert_eq!(ran.column("snapshotId")[0], format!("{:032x}", 2));
    assert_eq!(ran.reconciliation.population, 9);
    // The same again, as bytes.
    assert_eq!(ran.csv, period.whole("IDENTITY_CHANGES", &[]).csv);
    // Snapshots that nothing differs between.
    assert!(period.between(1, 2, "IDENTITY_CHANGES", &[]).rows.is_empty());
    // A value that changed and changed back differs in neither of the two.
    let two = period.installation.report_over(
        &period.snapshots[4],
        &period.snapshots[..1],
        "IDENTITY_CHANGES",
        &[("identity", RawValue::Text("1".into()))],
        &DataScope::Everything,
    );
    assert!(two.rows.is_empty() && two.reconciliation.expected == 0, "{:?}", two.reconciliation);
}

#[test]
fn changes_can_be_those_of_one_person_and_of_one_attribute() {
    let period = period();
    let text = |text: &str| RawValue::Text(text.into());
    let one = period.whole("IDENTITY_CHANGES", &[("identity", text("3"))]);
    assert_eq!(one.column("attribute"), ["attributes.manager", "manager", "ends"]);
    assert_eq!(one.reconciliation.excluded[0].rows, 6);
    let dept = period.whole("IDENTITY_CHANGES", &[("attribute", text("attributes.dept"))]);
    assert_eq!(dept.column("new"), ["B", "A"]);
    assert_eq!(dept.reconciliation.excluded[0].rows, 7);
    let access = period.whole("ACCESS_CHANGES", &[("identity", text("1"))]);
    // c belonged to 1 at the end only, and is one of 1's accounts.
    assert_eq!(access.column("nativeIdentity"), ["a", "a", "a", "c"]);
    let hr = period.whole("ACCESS_CHANGES", &[("source", period.installation.source_id("HR"))]);
    assert_eq!(hr.column("nativeIdentity"), ["2", "4"]);
}

const OF_ACCESS: [&str; 9] = [
    "identityName",
    "sourceName",
    "nativeIdentity",
    "object",
    "change",
    "entitlement",
    "attribute",
    "lastBefore",
    "firstSeen",
];

#[test]
fn access_that_was_gained_and_lost_is_listed_with_its_snapshots() {
    let period = period();
    let ran = period.whole("ACCESS_CHANGES", &[]);
    assert_eq!(
        rows(&ran, &OF_ACCESS),
        [
            "1|Directory|a|ENTITLEMENT|GAINED|z||01h|02h",
            "1|Directory|a|ENTITLEMENT|LOST|y||01h|02h",
            "1|Directory|a|ENTITLEMENT|GAINED|y||03h|04h",
            "1|Directory|c|ACCOUNT|CHANGED||owner|04h|05h",
            "2|Directory|b|ACCOUNT|CHANGED||disabled|03h|04h",
            "2|Directory|d|ACCOUNT|GAINED|||01h|02h",
            "2|Directory|d|ENTITLEMENT|GAINED|w||01h|02h",
            "2|Directory|d|ACCOUNT|LOST|||03h|04h",
            "2|Directory|d|ENTITLEMENT|LOST|w||03h|04h",
            "2|HR|2|ACCOUNT|LOST|||03h|04h",
            "4|HR|4|ACCOUNT|GAINED|||03h|04h",
        ]
    );
    assert_eq!((ran.column("old")[3], ran.column("new")[3]), ("3", "1"));
    assert_eq!((ran.column("old")[4], ran.column("new")[4]), ("false", "true"));
    let by_change: Vec<_> =
        ran.reconciliation.subtotals[0].parts.iter().map(|part| (part.label.as_str(), part.rows)).collect();
    assert_eq!(
        by_change,
        [
            ("account changed", 2),
            ("account gained", 2),
            ("account lost", 2),
            ("entitlement gained", 3),
            ("entitlement lost", 2)
        ]
    );
    assert_eq!(ran.csv, period.whole("ACCESS_CHANGES", &[]).csv);
}

const IN_PERIOD: [&str; 10] = [
    "identityName",
    "nativeIdentity",
    "entitlement",
    "verdict",
    "beganAfter",
    "firstSeen",
    "lastSeen",
    "endedBy",
    "snapshots",
    "enabledSnapshots",
];

#[test]
fn everybody_who_had_it_at_any_moment_is_listed() {
    let period = period();
    let ran = period.whole("ACCESS_IN_PERIOD", &[]);
    assert_eq!(
        rows(&ran, &IN_PERIOD),
        [
            "1|a|x|THROUGHOUT||01h|05h||5|5",
            "1|a|y|INTERRUPTED||01h|05h||3|3",
            "1|a|z|BEGUN|01h|02h|05h||4|4",
            "1|a||THROUGHOUT||01h|05h||5|5",
            "1|c||BEGUN|04h|05h|05h||1|1",
            "1|1||THROUGHOUT||01h|05h||5|5",
            "2|b|x|THROUGHOUT||01h|05h||5|3",
            "2|b||THROUGHOUT||01h|05h||5|3",
            "2|d|w|TEMPORARY|01h|02h|03h|04h|2|2",
            "2|d||TEMPORARY|01h|02h|03h|04h|2|2",
            "2|2||ENDED||01h|03h|04h|3|3",
            "3|c||ENDED||01h|04h|05h|4|4",
            "3|3||THROUGHOUT||01h|05h||5|5",
            "4|4||BEGUN|03h|04h|05h||2|2",
            "|g|x|THROUGHOUT||01h|05h||5|5",
            "|g||THROUGHOUT||01h|05h||5|5",
        ]
    );
    assert_eq!(ran.column("allSnapshots"), vec!["5"; 16]);
    let w = period.whole("ACCESS_IN_PERIOD", &[("entitlement", RawValue::Text("w".into()))]);
    assert_eq!(rows(&w, &IN_PERIOD), ["2|d|w|TEMPORARY|01h|02h|03h|04h|2|2"]);
    assert_eq!(w.reconciliation.excluded[0].rows, 15);
    let three = period.whole("ACCESS_IN_PERIOD", &[("identity", RawValue::Text("3".into()))]);
    assert_eq!(three.column("nativeIdentity"), ["c", "3"]);
}

/// The caller sees the directory only: 4 has no account there, and 3 has none any more from 05:00 on.
#[test]
fn a_data_scope_holds_in_every_snapshot() {
    let period = period();
    let directory = SourceId::new(period.installation.sources[1].definition.id.clone());
    let scope = DataScope::Sources([directory].into_iter().collect());
    let people = period.scoped(0, 4, "IDENTITY_CHANGES", &[], &scope);
    let changes = rows(&people, &["identityName", "change", "firstSeen"]);
    let gone_or_new: Vec<_> = changes.iter().filter(|row| !row.contains("CHANGED")).collect();
    assert_eq!(gone_or_new, ["3|GONE|05h"]);
    assert!(!changes.iter().any(|row| row.starts_with('4')), "{changes:?}");
    let access = period.scoped(0, 4, "ACCESS_CHANGES", &[], &scope);
    assert_eq!(access.column("sourceName"), vec!["Directory"; 9]);
    let had = period.scoped(0, 4, "ACCESS_IN_PERIOD", &[], &scope);
    assert_eq!(had.column("sourceName"), vec!["Directory"; 12]);
    assert_eq!(had.column("identityName")[9], "3", "whose name only earlier snapshots show");
}

/// The rows between two snapshots are those by which the two are compared.
#[test]
fn two_snapshots_differ_as_their_comparison_says() {
    let period = period();
    for to in 1..period.snapshots.len() {
        let (old, new) = (&period.snapshots[to - 1], &period.snapshots[to]);
        let compared = compared(&period, old, new);
        let ran = period.between(to - 1, to, "IDENTITY_CHANGES", &[]);
        let reported: BTreeSet<_> =
            rows(&ran, &["identityId", "attribute", "old", "new"]).into_iter().collect();
        let is_shared = |row: &&String| {
            let attribute = row.split('|').nth(1).unwrap_or_default();
            attribute.starts_with("attributes.")
                || ["identityProfile", "authoritativeSource", "lifecycleState", "status", "correlated"]
                    .contains(&attribute)
        };
        let of_report: Vec<_> = reported.iter().filter(is_shared).collect();
        let of_comparison: Vec<_> = compared.iter().filter(is_shared).collect();
        assert_eq!(of_report, of_comparison, "snapshot {to}");
    }
}

fn compared(period: &Period, old: &SnapshotManifest, new: &SnapshotManifest) -> BTreeSet<String> {
    block_on(async {
        let mut rows: ReportRows = period.installation.engine.compare(old, new).await.unwrap();
        let mut found = BTreeSet::new();
        while let Some(batch) = rows.next().await.unwrap() {
            let text = |name: &str, row: usize| {
                let column = batch.column_by_name(name).unwrap();
                let formatted = datafusion::arrow::util::display::array_value_to_string(column, row);
                formatted.unwrap()
            };
            for row in 0..batch.num_rows() {
                if text("object", row) == "identity" && text("change", row) == "changed" {
                    found.insert(["id", "attribute", "old", "new"].map(|name| text(name, row)).join("|"));
                }
            }
        }
        found
    })
}

/// People and their departments, and accounts with their groups, as the files of one refresh have them.
#[derive(Debug, Clone, Default)]
struct State {
    people: BTreeMap<u32, u32>,
    accounts: BTreeMap<u32, BTreeSet<u32>>,
}

/// A number below `below`, by Knuth's generator.
fn drawn(seed: &mut u64, below: u32) -> u32 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    u32::try_from(*seed >> 33).unwrap() % below
}

impl State {
    /// Another state: few people and accounts come, go or change.
    fn next(&self, seed: &mut u64) -> Self {
        let mut next = self.clone();
        for _ in 0..drawn(seed, 5) {
            next.people.insert(drawn(seed, 12), drawn(seed, 3));
            let groups = (0..drawn(seed, 4)).map(|_| drawn(seed, 5)).collect();
            next.accounts.insert(drawn(seed, 15), groups);
            next.accounts.remove(&drawn(seed, 15));
        }
        next
    }

    fn files(&self) -> (String, String) {
        let person = |(id, dept): (&u32, &u32)| format!("{id},{id}@x,D{dept},,A,\n");
        let account = |(dn, groups): (&u32, &BTreeSet<u32>)| {
            let groups: Vec<_> = groups.iter().map(|group| format!("g{group}")).collect();
            format!("a{dn},{dn},no,{}\n", groups.join("|"))
        };
        (self.people.iter().map(person).collect(), self.accounts.iter().map(account).collect())
    }

    /// What the reports must say of the step from this state to `next`, which is seen at `hour`.
    fn changes(&self, next: &Self, hour: usize) -> (Vec<String>, Vec<String>) {
        let (mut people, mut access) = (Vec::new(), Vec::new());
        for (id, dept) in &next.people {
            match self.people.get(id) {
                None => people.push(format!("{id}|NEW||||{hour:02}h")),
                Some(before) if before != dept => {
                    people.push(format!("{id}|CHANGED|attributes.dept|D{before}|D{dept}|{hour:02}h"));
                }
                Some(_) => {}
            }
        }
        let none = BTreeSet::new();
        let all: BTreeSet<_> = self.accounts.keys().chain(next.accounts.keys()).collect();
        for dn in all {
            let (before, after) = (self.accounts.get(dn), next.accounts.get(dn));
            match (before, after) {
                (None, Some(_)) => access.push(format!("a{dn}|ACCOUNT|GAINED||{hour:02}h")),
                (Some(_), None) => access.push(format!("a{dn}|ACCOUNT|LOST||{hour:02}h")),
                _ => {}
            }
            let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
            let gained = after.difference(before).map(|group| (group, "GAINED"));
            let lost = before.difference(after).map(|group| (group, "LOST"));
            let rows = gained.chain(lost);
            access.extend(
                rows.map(|(group, change)| format!("a{dn}|ENTITLEMENT|{change}|g{group}|{hour:02}h")),
            );
        }
        (people, access)
    }
}

/// Random files, and what follows from the files alone. People only come: who leaves HR stays an identity.
#[test]
fn random_changes_are_those_of_the_files() {
    for seed in 1..=4 {
        let mut random = seed;
        let mut state = State::default().next(&mut random).next(&mut random);
        state.people.entry(0).or_default();
        let mut period = Period::new();
        let (mut people, mut access) = (Vec::new(), Vec::new());
        for hour in 1..=6 {
            if hour > 1 {
                let next = state.next(&mut random);
                let (of_people, of_access) = state.changes(&next, hour);
                people.extend(of_people);
                access.extend(of_access);
                state = next;
            }
            let (hr, directory) = state.files();
            period.refresh(&hr, &directory);
        }
        let ran = period.whole("IDENTITY_CHANGES", &[]);
        let mut found = rows(&ran, &["identityName", "change", "attribute", "old", "new", "firstSeen"]);
        found.sort_unstable();
        people.sort_unstable();
        assert_eq!(found, people, "seed {seed}");
        let directory = [("source", period.installation.source_id("Directory"))];
        let ran = period.whole("ACCESS_CHANGES", &directory);
        let mut found = rows(&ran, &["nativeIdentity", "object", "change", "entitlement", "firstSeen"]);
        // An account that existed before its person belongs to nobody first.
        found.retain(|row| !row.contains("|CHANGED|"));
        found.sort_unstable();
        access.sort_unstable();
        assert_eq!(found, access, "seed {seed}");
        period.whole("ACCESS_IN_PERIOD", &[]);
    }
}
