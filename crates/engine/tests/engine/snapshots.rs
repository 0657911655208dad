//! Snapshots: comparison, removal, reading by other programs, and explained correlation. The expected results were
//! derived by hand from the few rows. The log's own JSON says which files a version reads.

use crate::installation::{Installation, block_on};
use datafusion::arrow::array::{Array, AsArray};
use muster_engine::compare::COLUMNS;
use muster_engine::explain::CorrelationExplanation;
use muster_engine::retention::Removal;
use muster_reports::SnapshotManifest;
use muster_reports::error::error_chain;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const HR: &str = r#"
name = "HR"
kind = "delimited"
delete_threshold_percent = 90
[delimited]
path = "hr.csv"
native_identity = "id"
[profile]
name = "Employees"
priority = 10
[[profile.attributes]]
name = "uid"
from = "id"
[[profile.attributes]]
name = "lastname"
from = "name"
[[profile.attributes]]
name = "email"
from = "mail"
[[profile.attributes]]
name = "manager"
from = "boss"
"#;

const AD: &str = r#"
name = "AD"
kind = "delimited"
delete_threshold_percent = 90
[delimited]
path = "ad.csv"
native_identity = "dn"
[[correlation]]
identity_attribute = "uid"
account_attribute = "emp"
[[correlation]]
identity_attribute = "email"
account_attribute = "mail"
ignore_case = true
"#;

fn set(installation: &mut Installation, hr: &str, ad: &str) {
    installation.source(HR, "hr.csv", &format!("id,name,mail,boss\n{hr}"));
    installation.source(AD, "ad.csv", &format!("dn,emp,mail\n{ad}"));
}

const FIRST: [&str; 2] =
    ["1,Ann,ann@x,\n2,Bob,bob@x,1\n4,Dee,dee@x,1\n5,Eve,eve@x,1\n", "a,1,\nb,2,\nc,9,\n"];
const SECOND: [&str; 2] =
    ["1,Ann,ann@y,\n3,Cid,cid@x,1\n4,Dee,dee@x,1\n5,Eve,eve@x,1\n", "a,1,\nc,3,\nd,1,\n"];

fn two_snapshots() -> (Installation, SnapshotManifest, SnapshotManifest) {
    let mut installation = Installation::new();
    set(&mut installation, FIRST[0], FIRST[1]);
    let old = installation.refresh().manifest.unwrap();
    set(&mut installation, SECOND[0], SECOND[1]);
    let new = installation.refresh().manifest.unwrap();
    (installation, old, new)
}

/// The rows of a comparison, with `|` between the cells, without ids. Null and empty text look the same.
fn compared(installation: &Installation, old: &SnapshotManifest, new: &SnapshotManifest) -> Vec<String> {
    block_on(async {
        let mut rows =
            installation.engine.compare(old, new).await.unwrap_or_else(|e| panic!("{}", error_chain(&e)));
        let mut lines = Vec::new();
        while let Some(batch) = rows.next().await.unwrap_or_else(|e| panic!("{}", error_chain(&e))) {
            for row in 0..batch.num_rows() {
                let cells = COLUMNS.iter().filter(|name| **name != "id").map(|name| {
                    let column = batch.column_by_name(name).unwrap().as_string::<i32>().clone();
                    if column.is_null(row) { String::new() } else { column.value(row).to_owned() }
                });
                lines.push(cells.collect::<Vec<_>>().join("|"));
            }
        }
        lines
    })
}

#[test]
fn a_comparison_says_what_was_added_removed_and_changed() {
    let (installation, old, new) = two_snapshots();
    let identities = installation.report("IDENTITIES", &[]);
    let at = identities.column("name").iter().position(|name| *name == "3").unwrap();
    let cid = identities.column("id")[at].to_owned();
    let expected = [
        "identity|changed||1|accountCount|2|3".to_owned(),
        "identity|changed||1|attributes.email|ann@x|ann@y".into(),
        "identity|changed||1|email|ann@x|ann@y".into(),
        // Bob has left: his identity is not removed, but has lost its accounts.
        "identity|changed||2|accountCount|2|0".into(),
        "identity|changed||2|authoritativeSource|HR|".into(),
        "identity|changed||2|correlated|true|false".into(),
        "identity|changed||2|identityProfile|Employees|".into(),
        "identity|added||3|||".into(),
        "account|removed|AD|b|||".into(),
        "account|changed|AD|c|attributes.emp|9|3".into(),
        format!("account|changed|AD|c|identityId||{cid}"),
        "account|changed|AD|c|matchedRule||uid = emp".into(),
        "account|changed|AD|c|situation|UNMATCHED|LINKED".into(),
        "account|added|AD|d|||".into(),
        "account|changed|HR|1|attributes.mail|ann@x|ann@y".into(),
        "account|removed|HR|2|||".into(),
        "account|added|HR|3|||".into(),
    ];
    assert_eq!(compared(&installation, &old, &new), expected);
    assert!(compared(&installation, &new, &new).is_empty(), "a snapshot does not differ from itself");

    // In the other direction, added rows are removed, and every pair is exchanged.
    let turned = |line: &String| {
        let mut cells: Vec<&str> = line.split('|').collect();
        cells.swap(5, 6);
        cells[1] = match cells[1] {
            "added" => "removed",
            "removed" => "added",
            other => other,
        };
        cells.join("|")
    };
    assert_eq!(compared(&installation, &new, &old), expected.iter().map(turned).collect::<Vec<_>>());
}

fn tables(installation: &Installation) -> PathBuf {
    installation.dir.path().join("tables")
}

/// Every data file, as `table/file`.
fn data_files(installation: &Installation) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for table in std::fs::read_dir(tables(installation)).unwrap() {
        let table = table.unwrap();
        for file in std::fs::read_dir(table.path()).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".parquet") {
                files.insert(format!("{}/{name}", table.file_name().into_string().unwrap()));
            }
        }
    }
    files
}

/// The files of a snapshot's tables, according to the log entries up to each version.
fn named(installation: &Installation, manifest: &SnapshotManifest) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for (table, version) in &manifest.versions {
        for entry in 0..=*version {
            let log = tables(installation).join(table).join("_delta_log").join(format!("{entry:020}.json"));
            for line in std::fs::read_to_string(log).unwrap().lines() {
                let action: serde_json::Value = serde_json::from_str(line).unwrap();
                let name = |action: &serde_json::Value| {
                    action["path"].as_str().map(|path| format!("{table}/{path}"))
                };
                files.extend(name(&action["add"]));
                if let Some(gone) = name(&action["remove"]) {
                    files.remove(&gone);
                }
            }
        }
    }
    files
}

fn trash(installation: &Installation) -> PathBuf {
    tables(installation).with_file_name("trash")
}

fn remove(installation: &Installation, kept: &[SnapshotManifest], dry_run: bool) -> u64 {
    let removal = Removal { trash: trash(installation), expired: 1, all: false };
    block_on(installation.engine.remove_unkept(kept, (!dry_run).then_some(&removal)))
        .unwrap_or_else(|e| panic!("{}", error_chain(&e)))
        .files
}

#[test]
fn what_no_kept_snapshot_reads_is_removed_and_nothing_else() {
    let (mut installation, first, second) = two_snapshots();
    set(&mut installation, FIRST[0], SECOND[1]);
    let third = installation.refresh().manifest.unwrap();
    let report = |installation: &Installation, manifest: &SnapshotManifest| {
        installation.report_of(manifest, "IDENTITIES", &[]).csv
    };
    let (of_first, of_third) = (report(&installation, &first), report(&installation, &third));
    let kept = [first.clone(), third.clone()];
    let all = data_files(&installation);
    let wanted: BTreeSet<String> = kept.iter().flat_map(|manifest| named(&installation, manifest)).collect();
    let expected = (all.len() - wanted.len()) as u64;
    assert!(wanted.is_subset(&all) && expected > 0);

    // If a log cannot say what is kept, nothing is removed.
    let mut unreadable = third.clone();
    unreadable.versions.insert("accounts".into(), 99);
    let removal = Removal { trash: trash(&installation), expired: 1, all: false };
    let refused = block_on(installation.engine.remove_unkept(&[first.clone(), unreadable], Some(&removal)));
    assert!(refused.is_err());
    assert_eq!(data_files(&installation), all);

    assert_eq!(remove(&installation, &kept, true), expected);
    assert_eq!(data_files(&installation), all, "a dry run removes nothing");
    // An interrupted run has removed some of them.
    let gone = all.difference(&wanted).next().unwrap();
    std::fs::remove_file(tables(&installation).join(gone)).unwrap();
    let reopened = installation.reopened();
    assert_eq!(report(&reopened, &first), of_first);
    assert_eq!(remove(&installation, &kept, false), expected - 1);
    assert_eq!(data_files(&installation), wanted);
    // Removed files can be moved back.
    let in_trash = |name: &&String| trash(&installation).join(name).is_file();
    assert_eq!(all.difference(&wanted).filter(in_trash).count() as u64, expected - 1);
    assert_eq!(remove(&installation, &kept, false), 0);

    let mut reopened = installation.reopened();
    assert_eq!(report(&reopened, &first), of_first);
    assert_eq!(report(&reopened, &third), of_third);
    let reads_second = block_on(async {
        let mut rows = reopened.engine.compare(&second, &third).await?;
        while rows.next().await?.is_some() {}
        Ok::<_, muster_engine::EngineError>(())
    });
    assert!(reads_second.is_err(), "what expired is gone");
    // The next refresh continues from the newest snapshot. The pinned one is unchanged.
    let fourth = reopened.refresh().manifest.unwrap();
    assert_eq!(report(&reopened, &fourth), of_third);
    assert_eq!(report(&reopened, &first), of_first);
}

fn explained(installation: &Installation, source: &str, native_identity: &str) -> CorrelationExplanation {
    let manifest = installation.manifest.clone().unwrap();
    block_on(installation.engine.explain_correlation(manifest, source, native_identity))
        .unwrap_or_else(|e| panic!("{}", error_chain(&e)))
}

/// Each rule: the values that it compared, whom it found, and a star if it decides.
fn rules(explanation: &CorrelationExplanation) -> Vec<String> {
    let rule = |rule: &muster_engine::explain::RuleOutcome| {
        let mut names: Vec<_> = rule.candidates.iter().map(|candidate| candidate.name.as_str()).collect();
        names.sort_unstable();
        let star = if rule.decides { "*" } else { "" };
        format!("{}: {} -> {}{star}", rule.rule, rule.values.join("+"), names.join("+"))
    };
    explanation.rules.iter().map(rule).collect()
}

#[test]
fn correlation_is_explained_as_the_refresh_decided_it() {
    let mut installation = Installation::new();
    let hr = "1,Ann,ann@x,\n2,Bob,bob@x,1\n3,Cid,same@x,1\n4,Dee,same@x,1\n";
    set(&mut installation, hr, "a,1,BOB@X\nb,, bob@X \nc,9,nobody@x\nd,,\ne,,same@x\nf,1,\ng,1,\n");
    installation.link("AD", "f", "2");
    installation.link("AD", "g", "nobody");
    installation.refresh();

    let seen = |native: &str| {
        let e = explained(&installation, "AD", native);
        assert!(e.agrees, "{e:?}");
        assert_eq!(e.verdict, e.recorded);
        let rule = e.verdict.rule.clone().unwrap_or_default();
        let whose = e.identity_name.clone().unwrap_or_default();
        (rules(&e), format!("{} {whose} {rule}", e.verdict.situation))
    };
    let [uid, email] = ["uid = emp", "email = mail (case ignored)"];
    let rows = |first: &str, second: &str| vec![format!("{uid}: {first}"), format!("{email}: {second}")];
    assert_eq!(seen("a"), (rows("1 -> 1*", "BOB@X -> 2"), format!("LINKED 1 {uid}")));
    assert_eq!(seen("b").1, format!("LINKED 2 {email}"));
    assert_eq!(seen("c"), (rows("9 -> ", "nobody@x -> "), "UNMATCHED  ".into()));
    assert_eq!(seen("d"), (rows(" -> ", " -> "), "UNMATCHED  ".into()));
    assert_eq!(seen("e"), (rows(" -> ", "same@x -> 3+4*"), format!("DISPUTED  {email}")));
    assert_eq!(seen("f"), (rows("1 -> 1*", " -> "), "LINKED 2 ".into()));
    assert_eq!(explained(&installation, "AD", "f").manual_link.as_deref(), Some("2"));
    assert_eq!(seen("g").1, format!("LINKED 1 {uid}"), "a link to nobody does not hold");

    let own = explained(&installation, "HR", "1");
    assert!(own.authoritative && own.agrees, "{own:?}");
    assert_eq!((own.verdict.situation.as_str(), own.identity_name.as_deref()), ("LINKED", Some("1")));
    assert_eq!(own.reason, "its identity was made from it");

    let manifest = installation.manifest.clone().unwrap();
    for (source, native, word) in [("Fax", "a", "no source"), ("AD", "zzz", "no account")] {
        let error =
            block_on(installation.engine.explain_correlation(manifest.clone(), source, native)).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn accounts_that_are_missing_or_whose_owner_lost_his_source_agree_too() {
    let (mut installation, _, _) = two_snapshots();
    // Bob's directory account exists again. Bob himself has left.
    set(&mut installation, SECOND[0], "a,1,\nb,2,\nd,1,\n");
    installation.refresh();
    let back = explained(&installation, "AD", "b");
    assert!(back.agrees, "{back:?}");
    assert_eq!(
        (back.verdict.situation.as_str(), back.identity_name.as_deref()),
        ("PLACEHOLDER_OWNER", Some("2"))
    );
    let missing = explained(&installation, "AD", "c");
    assert!(missing.agrees && missing.missing_since.is_some(), "{missing:?}");
}

/// A Python that has the packages, or `None` with a printed line that says that it is missing.
fn python() -> Option<String> {
    let python = std::env::var("MUSTER_DELTA_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let asked = Command::new(&python).args(["-c", "import deltalake, polars"]).output();
    if asked.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    assert!(
        std::env::var("MUSTER_REQUIRE_TOOLS").as_deref() != Ok("1"),
        "{python} has no packages deltalake and polars"
    );
    println!(
        "SKIPPED: {python} has no packages deltalake and polars; MUSTER_DELTA_PYTHON names another Python"
    );
    None
}

/// Account names with their owners' names. Both packages read them and must agree.
///
/// The script ends without the packages' clean-up: their threads sometimes abort a process at its end.
const READ: &str = r#"
import os, sys
import deltalake, polars
folder, accounts, identities = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def by_polars(table, version):
    return polars.read_delta(f"{folder}/{table}", version=version)
def by_deltalake(table, version):
    table = deltalake.DeltaTable(f"{folder}/{table}", version=version)
    return polars.from_arrow(table.to_pyarrow_table())
lines = []
for read in (by_polars, by_deltalake):
    names = {row["id"]: row["name"] for row in read("identities", identities).iter_rows(named=True)}
    live = read("accounts", accounts).filter(polars.col("dead_since").is_null())
    lines.append(sorted(
        f"{row['source_name']} {row['native_identity']} {names.get(row['identity_id'], '-')}"
        for row in live.iter_rows(named=True)))
assert lines[0] == lines[1], lines
print("\n".join(lines[0]), flush=True)
os._exit(0)
"#;

fn read_by_python(python: &str, folder: &Path, manifest: &SnapshotManifest) -> String {
    let version = |table: &str| manifest.versions[table].to_string();
    let output = Command::new(python)
        .args(["-c", READ, &folder.display().to_string(), &version("accounts"), &version("identities")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn other_programs_read_the_tables_at_an_old_version_too() {
    let Some(python) = python() else { return };
    let (installation, old, new) = two_snapshots();
    let before = "AD a 1\nAD b 2\nAD c -\nHR 1 1\nHR 2 2\nHR 4 4\nHR 5 5\n";
    let after = "AD a 1\nAD c 3\nAD d 1\nHR 1 1\nHR 3 3\nHR 4 4\nHR 5 5\n";
    assert_eq!(read_by_python(&python, &tables(&installation), &old), before);
    assert_eq!(read_by_python(&python, &tables(&installation), &new), after);
    // Also after the files of another version have been removed.
    remove(&installation, std::slice::from_ref(&old), false);
    assert_eq!(read_by_python(&python, &tables(&installation), &old), before);
}
