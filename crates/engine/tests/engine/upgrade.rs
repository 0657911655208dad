//! A snapshot of an older version of the program: its tables lack columns. The next refresh continues from it.

use crate::delta;
use crate::installation::{HR, Installation, block_on};
use datafusion::prelude::SessionContext;
use muster_reports::DataScope;
use muster_reports::ids::SourceId;
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
