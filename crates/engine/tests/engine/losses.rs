//! How much a refresh may lose before it makes no snapshot.

use crate::installation::{HR, Installation};
use muster_engine::refresh::{ExceededGuard, Guard, LossLimits, RefreshOutcome};
use muster_sources::Limit;

/// People with these numbers.
fn people(numbers: impl Iterator<Item = u32>) -> String {
    let rows: String = numbers.map(|n| format!("{n},Name {n},{n}@example.com\n")).collect();
    format!("id,name,mail\n{rows}")
}

/// `HR`, from which everything may go.
fn hr_without_threshold() -> String {
    HR.replacen("kind =", "delete_threshold_percent = 100\nkind =", 1)
}

fn limits(share: u8, always_allowed: u64) -> LossLimits {
    let limit = Limit::percent(share);
    LossLimits { identities_lost: limit, orphans_gained: limit, accounts_missing: limit, always_allowed }
}

/// Each exceeded guard with its numbers.
fn exceeded(outcome: &RefreshOutcome) -> Vec<(Guard, u64, u64, u64)> {
    let numbers = |exceeded: &ExceededGuard| (exceeded.guard, exceeded.number, exceeded.of, exceeded.allowed);
    outcome.exceeded.iter().map(numbers).collect()
}

/// A share is of those who are there, at its edge: 100 people, then 80, then 64; a fifth of 64 is 12.8.
#[test]
fn a_share_of_the_identities_may_be_lost_and_no_more() {
    for full in [false, true] {
        let mut installation = Installation::new();
        (installation.limits, installation.full) = (limits(20, 0), full);
        let hr = hr_without_threshold();
        let refresh = |installation: &mut Installation, people_left: u32| {
            installation.source(&hr, "hr.csv", &people(0..people_left));
            installation.refresh()
        };
        assert!(
            refresh(&mut installation, 100).manifest.is_some(),
            "before the first snapshot, nothing is lost"
        );
        for (left, lost) in [(80, None), (64, None), (51, Some((13, 64, 12)))] {
            let outcome = refresh(&mut installation, left);
            let expected: Vec<_> = lost
                .into_iter()
                .flat_map(|(number, of, allowed)| {
                    [Guard::IdentitiesLost, Guard::OrphansGained].map(|guard| (guard, number, of, allowed))
                })
                .collect();
            assert_eq!(exceeded(&outcome), expected, "{left} people, full: {full}");
            assert_eq!(outcome.manifest.is_none(), lost.is_some());
            for exceeded in &outcome.exceeded {
                assert_eq!(exceeded.examples.len(), 5);
                assert!(exceeded.examples.iter().all(|id| id.len() == 32), "{exceeded}");
            }
        }
        // As in 64 of the last snapshot: nobody is lost twice, and what is there again is not lost.
        let outcome = refresh(&mut installation, 52);
        assert_eq!((outcome.manifest.is_some(), exceeded(&outcome)), (true, Vec::new()));
    }
}

#[test]
fn losses_are_published_where_they_are_accepted_and_told_all_the_same() {
    let mut installation = Installation::new();
    installation.limits = LossLimits { identities_lost: Limit::Number(2), ..LossLimits::default() };
    installation.source(&hr_without_threshold(), "hr.csv", &people(0..10));
    installation.refresh();
    installation.source(&hr_without_threshold(), "hr.csv", &people(3..10));
    assert!(installation.refresh().manifest.is_none());
    installation.ignore_limits = true;
    let outcome = installation.refresh();
    assert_eq!(exceeded(&outcome), [(Guard::IdentitiesLost, 3, 10, 2)]);
    assert!(outcome.manifest.is_some());
    installation.ignore_limits = false;
    let again = installation.refresh();
    assert_eq!((again.manifest.is_some(), exceeded(&again)), (true, Vec::new()));
    let names = installation.report("ORPHAN_IDENTITIES", &[]);
    assert_eq!(names.rows.len(), 3);
}

/// The file has everybody, and says of everybody that they have left.
#[test]
fn a_status_that_is_active_no_more_is_a_loss() {
    let definition = format!(
        "{}[lifecycle]\nattribute = \"state\"\n[lifecycle.states]\nA = \"active\"\nT = \"terminated\"\n",
        HR
    );
    let file = |states: [&str; 6]| {
        let rows: String = states
            .iter()
            .enumerate()
            .map(|(n, state)| format!("{n},Name {n},{n}@example.com,{state}\n"))
            .collect();
        format!("id,name,mail,state\n{rows}")
    };
    let mut installation = Installation::new();
    let three = Limit::Number(3);
    installation.limits =
        LossLimits { identities_lost: three, orphans_gained: Limit::Number(0), ..limits(0, 0) };
    installation.source(&definition, "hr.csv", &file(["A", "A", "A", "A", "A", "T"]));
    installation.refresh();
    installation.source(&definition, "hr.csv", &file(["T", "T", "T", "T", "A", "A"]));
    let outcome = installation.refresh();
    assert_eq!(exceeded(&outcome), [(Guard::IdentitiesLost, 4, 6, 3)]);
    assert_eq!(outcome.exceeded[0].examples.len(), 4);
    installation.source(&definition, "hr.csv", &file(["T", "T", "T", "A", "A", "T"]));
    assert_eq!(exceeded(&installation.refresh()), []);
}

/// A file that was cut off: its accounts would be kept by the delete threshold, and the refresh stops nevertheless.
#[test]
fn accounts_missing_from_a_read_are_counted_source_by_source() {
    let application =
        "name = \"CRM\"\nkind = \"delimited\"\n[delimited]\npath = \"crm.csv\"\nnative_identity = \"id\"\n";
    let mut installation = Installation::new();
    installation.limits = limits(20, 0);
    installation.source(HR, "hr.csv", &people(0..50));
    installation.source(application, "crm.csv", &people(0..10));
    installation.refresh();
    let cut = people(0..10).lines().take(6).collect::<Vec<_>>().join("\n");
    installation.source(application, "crm.csv", &cut);
    let outcome = installation.refresh();
    assert_eq!(exceeded(&outcome), [(Guard::AccountsMissing, 5, 10, 2)]);
    assert_eq!((outcome.exceeded[0].source.as_deref(), outcome.exceeded[0].examples.len()), (Some("CRM"), 5));
    assert!(outcome.manifest.is_none());

    // A limit of its own, at its edge, and one source whose losses are accepted.
    let own = |limit: &str| application.replacen("kind", &format!("accounts_missing_max = {limit}\nkind"), 1);
    installation.source(&own("4"), "crm.csv", &cut);
    assert_eq!(exceeded(&installation.refresh()), [(Guard::AccountsMissing, 5, 10, 4)]);
    installation.source(application, "crm.csv", &cut);
    installation.accept = vec!["CRM"];
    let before = installation.manifest.clone();
    let outcome = installation.refresh();
    assert_eq!((outcome.manifest.is_some(), exceeded(&outcome)), (true, Vec::new()));
    installation.manifest = before;
    installation.source(&own("\"50 %\""), "crm.csv", &cut);
    let outcome = installation.refresh();
    assert_eq!((outcome.manifest.is_some(), exceeded(&outcome)), (true, Vec::new()));
    let run = outcome.sources.iter().find(|source| source.run.name == "CRM").unwrap();
    assert!(
        run.run.remark.as_deref().unwrap().contains("5 of 10 accounts are missing"),
        "{:?}",
        run.run.remark
    );

    // A few are within every share.
    let mut small = Installation::new();
    small.limits = limits(20, 5);
    small.source(application, "crm.csv", &people(0..10));
    small.refresh();
    small.source(application, "crm.csv", &cut);
    assert!(small.refresh().manifest.is_some());
}
