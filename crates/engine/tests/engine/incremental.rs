//! An incremental refresh gives the same tables as a full one, and writes few rows.

use crate::delta;
use crate::installation::{Installation, block_on};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;
use muster_engine::TABLES;
use muster_engine::refresh::{RefreshOutcome, TableOutcome};
use muster_reports::arguments::RawValue;
use proptest::prelude::*;
use proptest::test_runner::Config;
use std::collections::BTreeMap;

const STAFF: &str = r#"
name = "Staff"
kind = "delimited"
delete_threshold_percent = 100
[delimited]
path = "staff.csv"
native_identity = "id"
[profile]
name = "Staff"
priority = 10
[[profile.attributes]]
name = "uid"
from = "uid"
[[profile.attributes]]
name = "lastname"
from = "name"
[[profile.attributes]]
name = "email"
from = "mail"
[[profile.attributes]]
name = "manager"
from = "manager"
[[correlation]]
identity_attribute = "email"
account_attribute = "mail"
"#;

/// A source of people: with a priority it is authoritative. Managers are named by their uid, or by the native identity of
/// their account.
fn people(name: &str, file: &str, priority: Option<u32>, manager_by_account: bool) -> String {
    let manager = if manager_by_account { "manager = { match = \"native_identity\" }" } else { "" };
    let profile = priority.map_or_else(String::new, |priority| {
        format!(
            r#"
[profile]
name = "{name}"
priority = {priority}
protected = ["p1"]
{manager}
attributes = [
  {{ name = "uid", from = "uid" }},
  {{ name = "lastname", from = "name" }},
  {{ name = "email", from = "mail" }},
  {{ name = "manager", from = "manager" }},
]
[lifecycle]
attribute = "state"
states = {{ "A" = "active", "L" = "leave" }}
status = {{ active = "ACTIVE", leave = "DISABLED" }}
"#
        )
    });
    format!(
        r#"
name = "{name}"
kind = "delimited"
delete_threshold_percent = 100
refused_max_percent = 100
[delimited]
path = "{file}"
native_identity = "id"
uuid = "guid"
{profile}
[[correlation]]
identity_attribute = "email"
account_attribute = "mail"
"#
    )
}

const DIRECTORY: &str = r#"
name = "Directory"
kind = "delimited"
delete_threshold_percent = 100
[delimited]
path = "directory.csv"
native_identity = "dn"
multi_valued = ["groups"]
entitlements = ["groups"]
[[correlation]]
identity_attribute = "uid"
account_attribute = "emp"
[[correlation]]
identity_attribute = "email"
account_attribute = "mail"
"#;

/// Like [`DIRECTORY`], with ids that survive renames, and refused records.
fn directory() -> String {
    let definition =
        DIRECTORY.replace("native_identity = \"dn\"", "native_identity = \"dn\"\nuuid = \"guid\"");
    definition.replace("[delimited]", "refused_max_percent = 100\n[delimited]")
}

fn badges(ignore_case: bool) -> String {
    format!(
        r#"
name = "Badges"
kind = "delimited"
delete_threshold_percent = 100
[delimited]
path = "badges.csv"
native_identity = "dn"
entitlements = ["groups"]
[[correlation]]
identity_attribute = "email"
account_attribute = "mail"
ignore_case = {ignore_case}
"#
    )
}

/// Small numbers, so that conflicts, disputes, moves and blanks are frequent.
#[derive(Debug, Clone)]
struct Row {
    id: u8,
    uid: Option<u8>,
    mail: Option<u8>,
    other: Option<u8>,
    guid: Option<u8>,
    state: Option<u8>,
    /// There is a second record with this native identity and other content, so both are refused.
    twice: bool,
}

#[derive(Debug, Clone)]
struct Organisation {
    /// Staff, contractors, directory, badges.
    rows: [Vec<Row>; 4],
    link: Option<(u8, u8)>,
    contractors_first: bool,
    contractors_decide: bool,
    manager_by_account: bool,
    ignore_case: bool,
}

#[derive(Debug, Clone)]
enum Edit {
    Put { source: usize, row: Row },
    Drop { source: usize, id: u8 },
    Rename { source: usize, id: u8, to: u8 },
    State { source: usize, id: u8, state: u8 },
    Managers,
    Link(Option<(u8, u8)>),
    Priorities,
    Authority,
    Rule,
    Nothing,
}

const FILES: [&str; 4] = ["staff.csv", "contractors.csv", "directory.csv", "badges.csv"];
const HEADS: [&str; 4] = [
    "id,uid,name,mail,manager,guid,state\n",
    "id,uid,name,mail,manager,guid,state\n",
    "dn,emp,mail,groups,guid\n",
    "dn,emp,mail,groups\n",
];

fn text(value: Option<u8>, prefix: &str) -> String {
    value.map_or_else(String::new, |v| format!("{prefix}{v}"))
}

impl Organisation {
    fn install(&self, installation: &mut Installation) {
        let priority = if self.contractors_first { 5 } else { 20 };
        let priority = self.contractors_decide.then_some(priority);
        let definitions = [
            people("Staff", FILES[0], Some(10), false),
            people("Contractors", FILES[1], priority, self.manager_by_account),
            directory(),
            badges(self.ignore_case),
        ];
        for (at, definition) in definitions.iter().enumerate() {
            let content = self.rows[at].iter().fold(HEADS[at].to_owned(), |file, row| {
                let second = row.twice.then(|| self.line(at, &Row { mail: Some(9), ..row.clone() }));
                file + &self.line(at, row) + &second.unwrap_or_default()
            });
            installation.source(definition, FILES[at], &content);
        }
        installation.links.clear();
        if let Some((dn, uid)) = self.link {
            installation.link("Directory", &format!("d{dn}"), &format!("u{uid}"));
        }
    }

    /// A row as a line of the file.
    fn line(&self, at: usize, row: &Row) -> String {
        let (uid, mail) = (text(row.uid, "u"), text(row.mail, if at == 3 { "M" } else { "m" }));
        let (name, guid) = (text(row.other, "N"), text(row.guid, "g"));
        let state = row.state.map_or("", |state| ["A", "L", "X"][usize::from(state) % 3]);
        // Native identities are compared in any case, if no other is written exactly so.
        let manager = text(row.other, if at == 1 && self.manager_by_account { "P" } else { "u" });
        match at {
            0 | 1 => format!("p{},{uid},{name},{mail},{manager},{guid},{state}\n", row.id),
            2 => format!("d{},{uid},{mail},{},{guid}\n", row.id, text(row.other, "g")),
            _ => format!("d{},{uid},{mail},{}\n", row.id, text(row.other, "g")),
        }
    }

    fn edit(&mut self, edit: &Edit) {
        match edit {
            Edit::Put { source, row } => {
                self.rows[*source].retain(|known| known.id != row.id);
                self.rows[*source].push(row.clone());
            }
            Edit::Drop { source, id } => self.rows[*source].retain(|known| known.id != *id),
            Edit::Rename { source, id, to } => {
                self.rows[*source].retain(|known| known.id != *to || *to == *id);
                self.rows[*source].iter_mut().filter(|row| row.id == *id).for_each(|row| row.id = *to);
            }
            Edit::State { source, id, state } => {
                let of_id = self.rows[*source].iter_mut().filter(|row| row.id == *id);
                of_id.for_each(|row| row.state = Some(*state));
            }
            Edit::Managers => self.manager_by_account = !self.manager_by_account,
            Edit::Link(link) => self.link = *link,
            Edit::Priorities => self.contractors_first = !self.contractors_first,
            Edit::Authority => self.contractors_decide = !self.contractors_decide,
            Edit::Rule => self.ignore_case = !self.ignore_case,
            Edit::Nothing => {}
        }
    }
}

fn row() -> impl Strategy<Value = Row> {
    let few = |most: u8| proptest::option::weighted(0.85, 0..most);
    let twice = proptest::bool::weighted(0.08);
    (0..10u8, few(6), few(4), few(4), few(8), few(3), twice).prop_map(
        |(id, uid, mail, other, guid, state, twice)| Row { id, uid, mail, other, guid, state, twice },
    )
}

fn rows(most: usize) -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec(row(), 0..most).prop_map(|rows| {
        let by_id: BTreeMap<u8, Row> = rows.into_iter().map(|row| (row.id, row)).collect();
        by_id.into_values().collect()
    })
}

fn link() -> impl Strategy<Value = Option<(u8, u8)>> {
    proptest::option::of((0..10u8, 0..6u8))
}

fn organisation() -> impl Strategy<Value = Organisation> {
    let files = [rows(8).boxed(), rows(6).boxed(), rows(10).boxed(), rows(8).boxed()];
    (files, link(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(rows, link, contractors_first, manager_by_account, ignore_case)| Organisation {
            rows,
            link,
            contractors_first,
            contractors_decide: true,
            manager_by_account,
            ignore_case,
        },
    )
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        5 => (0..4usize, row()).prop_map(|(source, row)| Edit::Put { source, row }),
        3 => (0..4usize, 0..10u8).prop_map(|(source, id)| Edit::Drop { source, id }),
        2 => (0..3usize, 0..10u8, 0..10u8).prop_map(|(source, id, to)| Edit::Rename { source, id, to }),
        3 => (0..2usize, 0..10u8, 0..3u8).prop_map(|(source, id, state)| Edit::State { source, id, state }),
        1 => Just(Edit::Managers),
        1 => link().prop_map(Edit::Link),
        1 => Just(Edit::Priorities),
        1 => Just(Edit::Authority),
        1 => Just(Edit::Rule),
        1 => Just(Edit::Nothing),
    ]
}

/// Every row of a table as text, sorted.
pub fn content(installation: &Installation, table: &str) -> Vec<String> {
    let version = installation.manifest().versions[table];
    let path = installation.dir.path().join("tables").join(table);
    block_on(async {
        let rows = delta::rows(&SessionContext::new(), &path, version).await.unwrap();
        let batches = rows.collect().await.unwrap();
        let mut lines = Vec::new();
        for batch in &batches {
            let options = FormatOptions::default().with_null("-");
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                let cells: Vec<_> = columns.iter().map(|column| column.value(row).to_string()).collect();
                lines.push(cells.join(" | "));
            }
        }
        lines.sort();
        lines
    })
}

fn written<'a>(outcome: &'a RefreshOutcome, table: &str) -> &'a TableOutcome {
    outcome.tables.iter().find(|written| written.table == table).unwrap()
}

/// The number of cases: `PROPTEST_CASES`, or few.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(10)
}

proptest! {
    #![proptest_config(Config { cases: cases(), max_shrink_iters: 40, failure_persistence: None, ..Config::default() })]

    #[test]
    fn incremental_refreshes_give_the_tables_of_full_ones(
        organisation in organisation(),
        changes in proptest::collection::vec(proptest::collection::vec(edit(), 1..4), 1..4),
    ) {
        let mut sparing = Installation::new();
        let mut thorough = Installation::new();
        thorough.full = true;
        let mut organisation = organisation;
        for (time, edits) in std::iter::once(&Vec::new()).chain(&changes).enumerate() {
            edits.iter().for_each(|edit| organisation.edit(edit));
            let published = [&mut sparing, &mut thorough].map(|installation| {
                organisation.install(installation);
                installation.record(&format!("event-{time}"));
                installation.refresh().manifest.is_some()
            });
            // A source whose records are all refused keeps the last snapshot in force.
            prop_assert_eq!(published[0], published[1], "published after {:?}", edits);
            if !published[0] {
                continue;
            }
            for table in TABLES {
                prop_assert_eq!(content(&sparing, table), content(&thorough, table), "{} after {:?}", table, edits);
            }
        }
    }
}

/// 3 people, and a directory of 40,000 accounts. Only three of them have an owner.
fn large(installation: &mut Installation, changed: Option<u32>) {
    let staff = "id,uid,name,mail,manager\n1,u1,Ada,a@x,\n2,u2,Bob,b@x,u1\n3,u3,Cyd,c@x,u1\n";
    installation.source(STAFF, "staff.csv", staff);
    let mut directory = "dn,emp,mail,groups\n".to_owned();
    for n in 1..=40_000u32 {
        let owner = if n <= 3 { format!("u{n}") } else { String::new() };
        let group = if changed == Some(n) { "admins" } else { "users" };
        directory += &format!("d{n},{owner},,{group}\n");
    }
    installation.source(DIRECTORY, "directory.csv", &directory);
    installation.source(&badges(false), "badges.csv", "dn,emp,mail,groups\nd1,,a@x,door\n");
}

#[test]
fn one_changed_account_writes_one_piece_and_reads_one_source() {
    let mut installation = Installation::new();
    large(&mut installation, None);
    let first = installation.refresh();
    // 40,000 accounts are in three partitions of at most 16,384. The other two sources have one partition each.
    assert_eq!(written(&first, "accounts").files_written, 5);
    assert!(first.sources.iter().all(|source| !source.carried));
    let before = installation.manifest().clone();

    large(&mut installation, Some(2));
    let outcome = installation.refresh();
    let carried: Vec<_> = outcome.sources.iter().map(|s| (s.run.name.as_str(), s.carried)).collect();
    assert_eq!(carried, [("Badges", true), ("Directory", false), ("Staff", true)]);
    let directory = &outcome.sources[1].run;
    assert_eq!((directory.updated, directory.unchanged, directory.created), (1, 39_999, 0));
    assert_eq!((outcome.sources[2].run.unchanged, outcome.sources[2].run.loaded), (3, 3));

    let accounts = written(&outcome, "accounts");
    assert_eq!((accounts.rows, accounts.files_written, accounts.files_kept), (40_004, 1, 4));
    assert!((12_000..15_000).contains(&accounts.rows_written), "{accounts:?}");
    // No identity changed, but Bob's document has the new entitlement, and `admins` is new.
    assert_eq!((written(&outcome, "identities").files_written, written(&outcome, "identities").rows), (0, 3));
    assert_eq!(written(&outcome, "identity_documents").files_written, 1);
    assert_eq!(written(&outcome, "entitlement_documents").rows, 3);
    for table in ["sources", "identities", "identity_errors", "identity_profiles", "role_documents"] {
        assert_eq!(installation.manifest().versions[table], before.versions[table], "{table}");
    }
    assert_eq!(
        content(&installation, "entitlement_documents").len(),
        3,
        "users and admins of the directory, door of the badges"
    );
    // The old snapshot is unchanged.
    let of_directory = [
        ("application", installation.source_id("Directory")),
        ("sourceName", RawValue::Text("Directory".into())),
    ];
    let old = installation.report_of(&before, "ACCOUNTS", &of_directory);
    assert!(!old.csv.contains("admins") && old.rows.len() == 40_000);
}

/// 20,000 people with the same manager. One of them gets another name, and is nobody's manager.
#[test]
fn one_changed_person_writes_one_piece_of_each_table() {
    let mut installation = Installation::new();
    let staff = |name: &str| {
        (1..=20_000u32).fold("id,uid,name,mail,manager\n".to_owned(), |file, n| {
            let name = if n == 7 { name } else { "Ann" };
            file + &format!("{n},u{n},{name},m{n}@x,u1\n")
        })
    };
    installation.source(STAFF, "staff.csv", &staff("Ann"));
    installation.source(&badges(false), "badges.csv", "dn,emp,mail,groups\nd1,,m7@x,door\n");
    let first = installation.refresh();
    // Two partitions of at most 16,384 identities, five of at most 4,096 documents.
    assert_eq!(written(&first, "identities").files_written, 2);
    assert_eq!(written(&first, "identity_documents").files_written, 5);

    installation.source(STAFF, "staff.csv", &staff("Bea"));
    let outcome = installation.refresh();
    for (table, kept) in [("accounts", 2), ("identities", 1), ("identity_documents", 4)] {
        let written = written(&outcome, table);
        assert_eq!((written.files_written, written.files_kept), (1, kept), "{table}");
    }
    let names = content(&installation, "identities");
    let changed: Vec<_> = names.iter().filter(|line| line.contains(" | Bea | ")).collect();
    assert!(names.len() == 20_000 && changed.len() == 1 && changed[0].contains(" | u7 | "), "{changed:?}");
    // The manager was not looked up again, and is still there.
    assert!(changed[0].contains(" | u1 | "), "{changed:?}");
}

/// The history of runs and of counts, and the events of the audit trail.
#[test]
fn tables_that_only_grow_are_added_to_and_now_and_then_become_one_file() {
    let mut installation = Installation::new();
    installation.source(STAFF, "staff.csv", "id,uid,name,mail,manager\n1,u1,Ada,a@x,\n");
    let mut whole = 0;
    for time in 0..20 {
        installation.record(&format!("event-{time:02}"));
        let outcome = installation.refresh();
        let events = written(&outcome, "event_documents");
        assert_eq!(events.rows, time + 1);
        assert!(events.files_kept + events.files_written <= 17, "{events:?}");
        whole += u32::from(events.rows_written == time + 1);
        assert!(events.rows_written == 1 || events.rows_written == time + 1, "{events:?}");
        assert_eq!(written(&outcome, "aggregations").rows, time + 1);
    }
    assert!((2..=3).contains(&whole), "written whole {whole} times: the first, and one or two of 19 others");
    let events = content(&installation, "event_documents");
    assert_eq!(events.len(), 20);
    for (at, event) in events.iter().enumerate() {
        assert!(event.contains(&format!("event-{at:02}")), "{event}");
    }

    // Nothing has happened.
    let before = installation.manifest().versions.clone();
    let outcome = installation.refresh();
    assert_eq!(written(&outcome, "event_documents").files_written, 0);
    assert_eq!(installation.manifest().versions["event_documents"], before["event_documents"]);
    // A snapshot that was never published has read an event. The next snapshot still has it, once.
    let published = installation.manifest.clone();
    installation.record("event-20");
    installation.refresh();
    installation.manifest = published;
    installation.refresh();
    assert_eq!(content(&installation, "event_documents").len(), 21);
    // So has the next attempt at a snapshot whose first attempt was not published, although more has happened meanwhile.
    installation.record("event-21");
    installation.refresh_in_vain();
    installation.record("event-22");
    installation.refresh();
    assert_eq!(content(&installation, "event_documents").len(), 23);
    // A manifest of an older version has no number of an event.
    let mut old = installation.manifest().clone();
    old.last_event = None;
    installation.manifest = Some(old.into());
    installation.refresh();
    assert_eq!(content(&installation, "event_documents").len(), 23);
}

/// Badges match nobody's address until Bob's changes. Ada's badge loses its owner when her address changes.
#[test]
fn an_identity_that_changes_moves_accounts_of_sources_that_were_not_read() {
    let mut installation = Installation::new();
    let staff =
        |ada: &str, bob: &str| format!("id,uid,name,mail,manager\n1,u1,Ada,{ada},\n2,u2,Bob,{bob},u1\n");
    installation.source(STAFF, "staff.csv", &staff("a@x", "b@x"));
    installation.source(&badges(false), "badges.csv", "dn,emp,mail,groups\nd1,,a@x,door\nd2,,new@x,gate\n");
    installation.refresh();
    let owners = |installation: &Installation| -> Vec<String> {
        let badges = installation.accounts("Badges");
        let of = badges.column("nativeIdentity").into_iter().zip(badges.column("identityName"));
        of.map(|(badge, owner)| format!("{badge} {owner}")).collect()
    };
    assert_eq!(owners(&installation), ["d1 u1", "d2 "]);
    installation.source(STAFF, "staff.csv", &staff("a@x", "new@x"));
    let outcome = installation.refresh();
    assert_eq!(owners(&installation), ["d1 u1", "d2 u2"]);
    assert!(outcome.sources.iter().any(|source| source.run.name == "Badges" && source.carried));
    installation.source(STAFF, "staff.csv", &staff("other@x", "new@x"));
    installation.refresh();
    assert_eq!(owners(&installation), ["d1 ", "d2 u2"]);
}

#[test]
fn a_source_that_did_not_change_is_read_when_it_had_something_to_say() {
    let mut installation = Installation::new();
    let staff = "id,uid,name,mail,manager\n1,u1,Ada,a@x,\n,u2,Bob,b@x,u1\n";
    let lenient =
        STAFF.replace("delete_threshold_percent", "refused_max_percent = 50\ndelete_threshold_percent");
    installation.source(&lenient, "staff.csv", staff);
    installation.source(&badges(false), "badges.csv", "dn,emp,mail,groups\nd1,,a@x,door\nd2,,,\nd3,,,\n");
    installation.refresh();
    let outcome = installation.refresh();
    // Refused records are copied with their reasons.
    let staff = outcome.sources.iter().find(|s| s.run.name == "Staff").unwrap();
    assert_eq!((staff.carried, staff.run.rejected, staff.rejections.len()), (true, 1, 1));
    assert_eq!(content(&installation, "rejected_records").len(), 1);

    // The message about an exceeded delete threshold is repeated while it applies.
    let strict = badges(false).replace("delete_threshold_percent = 100", "delete_threshold_percent = 10");
    installation.source(&strict, "badges.csv", "dn,emp,mail,groups\nd3,,a@x,door\nd4,,,\n");
    for _ in 0..2 {
        let outcome = installation.refresh();
        let badges = outcome.sources.iter().find(|s| s.run.name == "Badges").unwrap();
        assert!(
            !badges.carried && badges.run.remark.as_ref().is_some_and(|r| r.contains("delete threshold"))
        );
        assert_eq!((badges.run.loaded, badges.run.stale), (4, 2));
    }
}

#[test]
fn a_refresh_that_was_never_published_leaves_no_trace_in_the_next() {
    let mut installation = Installation::new();
    large(&mut installation, None);
    installation.refresh();
    let published = installation.manifest.clone();
    large(&mut installation, Some(3));
    installation.refresh();
    installation.manifest = published;
    large(&mut installation, Some(2));
    installation.refresh();
    let accounts = content(&installation, "accounts");
    assert_eq!(accounts.len(), 40_004);
    let admins: Vec<_> = accounts.iter().filter(|line| line.contains("admins")).collect();
    assert!(admins.len() == 1 && admins[0].contains(" | d2 | "), "{admins:?}");
}
