//! Access reviews: what they are of, and how later snapshots judge their revokes, worked out by hand.

use crate::installation::{Installation, Ran, block_on};
use muster_reports::SnapshotManifest;
use muster_reports::arguments::RawValue;
use muster_reports::caller::DataScope;
use muster_reports::ids::{ReviewId, SnapshotId, SourceId};
use muster_reports::review::assign::assign;
use muster_reports::review::{
    Choice, Closing, Decision, Review, ReviewItem, ReviewPlan, ReviewedItems, ReviewerRule, digest_of,
};
use muster_reports::series::Series;
use muster_sources::SourceDefinition;
use muster_testkit::definitions;
use std::sync::Arc;

/// Three people, of whom 1 leads 2 and 3, and directories whose accounts change; 2 owns both.
struct World {
    installation: Installation,
    snapshots: Vec<Arc<SnapshotManifest>>,
}

fn definition(name: &str, file: &str) -> String {
    let privileged = "[account.columns]\nprivileged_by = { from = \"groups\", values = [\"root\"] }\n";
    format!("owner = \"2\"\n{}{privileged}", definitions::accounts(name, file, '|'))
}

impl World {
    fn new() -> Self {
        let mut installation = Installation::new();
        installation.publish_incomplete = true;
        let attributes = [("uid", "id"), ("lastname", "id"), ("email", "id"), ("manager", "boss")];
        let hr = definitions::people(&attributes) + definitions::LIFECYCLE;
        installation.source(&hr, "hr.csv", "id,boss,status\n1,,A\n2,1,A\n3,1,A\n");
        Self { installation, snapshots: Vec::new() }
    }

    /// A refresh with this directory, and with another one, whose file is not there if it has no lines.
    fn refresh(&mut self, directory: &str, other: Option<&str>) {
        let header = "dn,emp,off,groups\n";
        self.installation.source(
            &definition("Directory", "dir.csv"),
            "dir.csv",
            &format!("{header}{directory}"),
        );
        self.installation.source(&definition("Other", "other.csv"), "other.csv", header);
        let file = self.installation.dir.path().join("other.csv");
        match other {
            Some(lines) => std::fs::write(file, format!("{header}{lines}")).unwrap(),
            None => std::fs::remove_file(file).unwrap(),
        }
        self.installation.refresh();
        self.snapshots.extend(self.installation.manifest.clone());
    }

    fn items(&self, plan: &ReviewPlan, scope: &DataScope) -> Vec<ReviewItem> {
        let population = block_on(self.installation.engine.population(&self.snapshots[0], scope, plan));
        assign(plan, &ReviewId::new("r"), population.unwrap()).unwrap()
    }

    /// A report of a review over the snapshots from number `from` to number `to`.
    fn report(
        &self,
        (from, to): (usize, usize),
        kind: &str,
        open: bool,
        reviewed: &ReviewedItems,
        scope: &DataScope,
    ) -> Ran {
        let series = Series {
            earlier: self.snapshots[from..to].to_vec(),
            review: Some(Arc::new(reviewed.clone())),
            ..Series::default()
        };
        let mut arguments = vec![("review", RawValue::Text("r".into()))];
        if open {
            arguments.push(("open", RawValue::Boolean(true)));
        }
        let ran = self.installation.report_series(&self.snapshots[to], &series, kind, &arguments, scope);
        let counted = &ran.reconciliation;
        assert_eq!(counted.reported, counted.expected, "{kind}: {counted:?}");
        for subtotal in &counted.subtotals {
            let sum = subtotal.parts.iter().map(|part| part.rows).sum::<u64>();
            assert_eq!(sum, counted.reported, "{kind}: {counted:?}");
        }
        ran
    }
}

fn plan(sources: &[&str]) -> ReviewPlan {
    ReviewPlan {
        name: "Spring".into(),
        reviewers: ReviewerRule::SourceOwner,
        list: Vec::new(),
        fallback: None,
        sources: sources.iter().map(|name| SourceDefinition::derived_id(name)).collect(),
        privileged: false,
        due_days: 0,
        comment_required: false,
        ends: None,
        remind_days: 0,
        tell: false,
    }
}

/// `identity account entitlement reviewer` of each item.
fn shown(items: &[ReviewItem]) -> Vec<String> {
    let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let line = |item: &ReviewItem| {
        format!(
            "{} {} {} {}",
            or_dash(item.frozen.identity_name.as_deref()),
            item.frozen.native_identity,
            or_dash(item.frozen.entitlement.as_deref()),
            or_dash(item.reviewer.as_ref().map(|reviewer| reviewer.name.as_str())),
        )
    };
    items.iter().map(line).collect()
}

/// Each row as its cells with `|` between them; of a time, its hour.
fn rows(ran: &Ran, columns: &[&str]) -> Vec<String> {
    let columns: Vec<_> = columns.iter().map(|name| ran.column(name)).collect();
    let hour = |cell: &str| match cell.strip_prefix("2026-01-01T") {
        Some(time) => time[..2].to_owned(),
        None => cell.to_owned(),
    };
    let row = |at: usize| columns.iter().map(|column| hour(column[at])).collect::<Vec<_>>().join("|");
    (0..ran.rows.len()).map(row).collect()
}

const FIRST: &str = "a,1,no,x|y|z\nb,2,no,x|root\nc,3,no,\nd,2,no,w\nf,3,yes,\ng,3,no,x\nh,9,no,x|x|\n";

#[test]
fn a_population_has_every_live_account_and_each_of_its_entitlements_once() {
    let mut world = World::new();
    world.refresh(FIRST, Some("o,3,no,x\n"));
    let all = world.items(&plan(&["Directory", "Other"]), &DataScope::Everything);
    assert_eq!(
        shown(&all),
        [
            "1 a x 2",
            "1 a y 2",
            "1 a z 2",
            "2 b root -",
            "2 b x -",
            "2 d w -",
            "3 c - 2",
            "3 f - 2",
            "3 g x 2",
            "3 o x 2",
            "- h x 2",
        ]
    );
    assert_eq!(all[3].assigned, "nobody: not 2, the owner of the source: it is access of their own");
    assert!(all[7].frozen.disabled && all[3].frozen.privileged && !all[0].frozen.privileged);
    // Everything that there is: HR, too, whose accounts have no entitlements. Nobody owns it.
    let everything = world.items(&plan(&[]), &DataScope::Everything);
    assert_eq!(everything.len(), 14);
    let privileged = ReviewPlan { privileged: true, ..plan(&[]) };
    assert_eq!(shown(&world.items(&privileged, &DataScope::Everything)), ["2 b root -", "2 b x -"]);
    // The manager of 1 is nobody; that of 2 and 3 is 1.
    let managers = ReviewPlan { reviewers: ReviewerRule::Manager, ..plan(&["Other", "HR"]) };
    assert_eq!(
        shown(&world.items(&managers, &DataScope::Everything)),
        ["1 1 - -", "2 2 - 1", "3 3 - 1", "3 o x 1"]
    );
    // A caller who sees one source reviews that source.
    let other = DataScope::Sources([SourceId::new(SourceDefinition::derived_id("Other"))].into());
    assert_eq!(shown(&world.items(&plan(&[]), &other)), ["3 o x -"]);
    // Nothing changes when the data does.
    world.refresh("", Some(""));
    assert_eq!(world.items(&plan(&["Directory", "Other"]), &DataScope::Everything), all);
}

/// A review of the snapshot of 01:00, closed at 04:30, of which every revoke is due at 04:30. Kept: a/z. Not decided: b/root.
fn reviewed(world: &World) -> ReviewedItems {
    let plan = plan(&["Directory", "Other"]);
    let mut items = world.items(&plan, &DataScope::Everything);
    let at = "2026-01-01T04:30:00Z".parse().unwrap();
    for item in &mut items {
        let choice = match item.frozen.entitlement.as_deref() {
            Some("root") => continue,
            Some("z") => Choice::Keep,
            _ => Choice::Revoke,
        };
        item.decision = Some(Decision {
            item: item.number,
            choice,
            by: "2".into(),
            at,
            seconds: (item.number != 1).then_some(5_400),
            comment: None,
            sheet: None,
            sequence: item.number.into(),
        });
    }
    let closing = Closing { at, by: "root".into(), keep: 1, revoke: 9, undecided: 1, last_decision: 11 };
    let review = Review {
        id: ReviewId::new("r"),
        plan,
        snapshot: SnapshotId::new(world.snapshots[0].id.as_str()),
        frozen_at: world.snapshots[0].created,
        scope: DataScope::Everything,
        created: world.snapshots[0].created,
        created_by: "root".into(),
        items: u32::try_from(items.len()).unwrap(),
        unassigned: 3,
        digest: digest_of(&items),
        told: None,
        closing: Some(closing),
    };
    ReviewedItems { review, items }
}

/// What happens after the review was frozen:
/// - 02:00: nothing. From now on, the file of the other directory is missing, so o/x cannot be judged.
/// - 03:00: a loses x; d is gone.
/// - 04:00: c is disabled, as is g, which keeps x.
/// - 05:00: a loses y, after the due date; d is back; f, which was disabled from the start, is gone.
/// - 06:00: h, of nobody, is gone.
fn world() -> World {
    let mut world = World::new();
    world.refresh(FIRST, Some("o,3,no,x\n"));
    world.refresh(FIRST, None);
    let third = "a,1,no,y|z\nb,2,no,x|root\nc,3,no,\nf,3,yes,\ng,3,no,x\nh,9,no,x\n";
    world.refresh(third, None);
    world.refresh(&third.replace("c,3,no", "c,3,yes").replace("g,3,no", "g,3,yes"), None);
    let fifth = "a,1,no,z\nb,2,no,x|root\nc,3,yes,\nd,2,no,w\ng,3,yes,x\nh,9,no,x\n";
    world.refresh(fifth, None);
    world.refresh(&fifth.replace("h,9,no,x\n", ""), None);
    world
}

const SHOWN: [&str; 6] = ["nativeIdentity", "entitlement", "verdict", "overdue", "lastSeen", "firstGone"];

#[test]
fn later_snapshots_prove_each_revoke() {
    let world = world();
    let reviewed = reviewed(&world);
    let everything = DataScope::Everything;
    let all = world.report((0, 5), "REVIEW_REVOKES", false, &reviewed, &everything);
    assert_eq!(
        rows(&all, &SHOWN),
        [
            "a|x|DONE|false|02|03",
            "a|y|DONE_LATE|false|04|05",
            "b|x|OPEN|true|06|",
            "d|w|BACK|true|06|03",
            "c||DONE|false|03|04",
            "f||DONE_LATE|false|04|05",
            "g|x|OPEN|true|06|",
            "o|x|CANNOT_TELL|false|01|",
            "h|x|DONE_LATE|false|05|06",
        ]
    );
    assert_eq!(all.reconciliation.population, 11);
    let verdicts = &all.reconciliation.subtotals[0].parts;
    let counts: Vec<_> = verdicts.iter().map(|part| format!("{} {}", part.label, part.rows)).collect();
    assert_eq!(counts, ["BACK 1", "CANNOT_TELL 1", "DONE 2", "DONE_LATE 3", "OPEN 2"]);
    let open = world.report((0, 5), "REVIEW_REVOKES", true, &reviewed, &everything);
    assert_eq!(rows(&open, &SHOWN[..3]), ["b|x|OPEN", "d|w|BACK", "g|x|OPEN", "o|x|CANNOT_TELL"]);
}

#[test]
fn a_report_says_what_its_snapshots_show() {
    let world = world();
    let reviewed = reviewed(&world);
    let everything = DataScope::Everything;
    // As of 03:00, before the due date.
    let early = world.report((0, 2), "REVIEW_REVOKES", true, &reviewed, &everything);
    assert_eq!(
        rows(&early, &SHOWN),
        [
            "a|y|OPEN|false|03|",
            "b|x|OPEN|false|03|",
            "c||OPEN|false|03|",
            "f||OPEN|false|03|",
            "g|x|OPEN|false|03|",
            "o|x|CANNOT_TELL|false|01|",
            "h|x|OPEN|false|03|",
        ]
    );
    // Over the snapshot of the review itself, nothing can be told.
    let none = world.report((0, 0), "REVIEW_REVOKES", false, &reviewed, &everything);
    assert_eq!(none.column("verdict"), ["CANNOT_TELL"; 9]);
    // The first snapshots have expired: the first one that is kept and lacks the access counts.
    let late = world.report((3, 5), "REVIEW_REVOKES", false, &reviewed, &everything);
    assert_eq!(rows(&late, &SHOWN)[..2], ["a|x|DONE|false|01|04", "a|y|DONE_LATE|false|04|05"]);
    // A caller with a data scope sees the rows of their sources.
    let other = DataScope::Sources([SourceId::new(SourceDefinition::derived_id("Other"))].into());
    let scoped = world.report((0, 5), "REVIEW_REVOKES", false, &reviewed, &other);
    assert_eq!(rows(&scoped, &SHOWN[..3]), ["o|x|CANNOT_TELL"]);
}

#[test]
fn decisions_are_reported_with_what_is_not_known() {
    let world = world();
    let reviewed = reviewed(&world);
    let ran = world.report((0, 5), "REVIEW_DECISIONS", false, &reviewed, &DataScope::Everything);
    let found = rows(&ran, &["item", "nativeIdentity", "decision", "decidedBy", "hours", "reviewerName"]);
    assert_eq!(
        found[..5],
        [
            "1|a|REVOKE|2||2",
            "2|a|REVOKE|2|1.5|2",
            "3|a|KEEP|2|1.5|2",
            "4|b|UNDECIDED|||",
            "5|b|REVOKE|2|1.5|"
        ]
    );
    assert_eq!(found.len(), 11);
}
