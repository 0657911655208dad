//! A snapshot of an older version of the program: its tables lack columns. The next refresh continues from it.

use crate::delta;
use crate::installation::{HR, Installation, block_on};
use datafusion::prelude::SessionContext;
use muster_reports::arguments::{RawArguments, RawValue};
use muster_reports::ids::{ReportId, SourceId};
use muster_reports::{Arguments, Catalogue, DataScope};
use std::sync::Arc;

const AD: &str = r#"
name = "AD"
kind = "delimited"
[delimited]
path = "ad.csv"
native_identity = "dn"
uuid = "guid"
[[correlation]]
identity_attribute = "uid"
account_attribute = "emp"
"#;

/// The newest snapshot's table without these columns, as a version of its own.
fn strip(installation: &mut Installation, table: &str, columns: &[&str]) {
    let path = installation.dir.path().join("tables").join(table);
    let mut manifest = installation.manifest().clone();
    let version = block_on(async {
        let rows = delta::rows(&SessionContext::new(), &path, manifest.versions[table]).await.unwrap();
        let batches = rows.drop_columns(columns).unwrap().collect().await.unwrap();
        delta::overwrite(&path, manifest.versions[table], &batches).await.unwrap()
    });
    manifest.versions.insert(table.to_owned(), version);
    manifest.files.clear();
    installation.manifest = Some(Arc::new(manifest));
}

#[test]
fn a_snapshot_of_an_older_version_is_read_and_gone_on_from() {
    let mut installation = Installation::new();
    installation.source(HR, "hr.csv", "id,name,mail\n1,Ada,Ada\n2,Bob,Bob\n");
    installation.source(AD, "ad.csv", "dn,guid,emp\nx,g1,1\ny,g2,2\n");
    installation.link("AD", "x", "2");
    installation.refresh();
    strip(&mut installation, "accounts", &["linked_as", "held_since"]);
    strip(&mut installation, "identities", &["account_id", "processing_state"]);
    let old = installation.reopened();
    // A caller with a scope of one source reads the table with the columns that it has.
    let of_ad = [SourceId::new(old.sources[1].definition.id.clone())].into_iter().collect();
    let seen = old.scoped_report(old.manifest(), "IDENTITIES", &[], &DataScope::Sources(of_ad));
    assert_eq!(seen.column("name"), ["2"]);

    let mut installation = installation.reopened();
    // The linked account moves in the same refresh.
    installation.source(AD, "ad.csv", "dn,guid,emp\nz,g1,1\ny,g2,2\n");
    let outcome = installation.refresh();
    let run = &outcome.sources.iter().find(|source| source.run.name == "AD").unwrap().run;
    assert_eq!((run.created, run.updated, run.unchanged, run.missing), (0, 1, 1, 0));
    for _ in 0..2 {
        let accounts = installation.accounts("AD");
        assert_eq!(accounts.column("nativeIdentity"), ["y", "z"]);
        assert_eq!(accounts.column("identityName"), ["2", "2"]);
        assert_eq!(accounts.column("manuallyCorrelated"), ["false", "true"]);
        installation.refresh();
    }
}

/// Typed columns came later. A report over them says so, and the next refresh makes them.
#[test]
fn a_report_over_columns_that_a_snapshot_lacks_says_what_to_do() {
    let mut installation = Installation::new();
    let definition = format!("{HR}[account.columns]\nlast_used = {{ from = \"seen\" }}\n");
    installation.source(&definition, "hr.csv", "id,name,mail,seen\n1,Ada,Ada,2025-12-31\n2,Bob,Bob,\n");
    installation.refresh();
    let made = installation.report(
        "ACCOUNTS",
        &[("application", installation.source_id("HR")), ("sourceName", RawValue::Text("HR".into()))],
    );
    let typed = [
        "last_used",
        "last_used_latest",
        "password_set",
        "expires",
        "never_expires",
        "kind",
        "owner",
        "privileged_by",
    ];
    strip(
        &mut installation,
        "accounts",
        &[&typed[..], &["unreadable", "access_ended", "access_seen", "record_line", "entitlements_since"]]
            .concat(),
    );
    strip(&mut installation, "identities", &["starts", "ends", "left_on", "unreadable"]);
    let mut installation = installation.reopened();
    // The published reports read the old tables as before, to the byte.
    let read = installation.report(
        "ACCOUNTS",
        &[("application", installation.source_id("HR")), ("sourceName", RawValue::Text("HR".into()))],
    );
    assert_eq!(read.csv, made.csv);
    let catalogue = Catalogue::built_in();
    for kind in ["DORMANT_ACCOUNTS", "PRIVILEGED_ACCESS", "LEAVERS_WITH_ACCESS", "ACCESS"] {
        let definition = catalogue.get(&ReportId::new(kind)).unwrap();
        let arguments = Arguments::check(&definition.arguments, &RawArguments::new()).unwrap();
        let plan = block_on(installation.engine.prepare(
            installation.manifest(),
            &definition,
            &arguments,
            &DataScope::Everything,
        ));
        let refused = plan.err().unwrap().to_string();
        assert!(
            refused.contains("an older version of the program made it") && refused.contains("Refresh"),
            "{refused}"
        );
    }
    installation.refresh();
    let dormant = installation.report("DORMANT_ACCOUNTS", &[("days", RawValue::Number("1".into()))]);
    // Ada's account was used a day before the snapshot of 02:00, and of Bob's nothing is known.
    assert_eq!(
        (dormant.column("nativeIdentity"), dormant.column("verdict")),
        (vec!["1", "2"], vec!["DORMANT", "UNKNOWN"])
    );
}
