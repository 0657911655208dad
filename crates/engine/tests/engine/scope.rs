//! Callers whose data scope is limited to some sources, over the organisations of the other tests. The expected rows
//! were derived by hand.

use crate::installation::{Installation, Ran};
use crate::{reports, search};
use muster_reports::DataScope;
use muster_reports::arguments::RawValue;

const HR: &str = "000000000000000000000000000000a1";
const AD: &str = "000000000000000000000000000000a2";

fn of(sources: &[&str]) -> DataScope {
    DataScope::of_sources(sources.iter().copied()).unwrap()
}

fn report(installation: &Installation, kind: &str, sources: &[&str]) -> Ran {
    installation.scoped_report(installation.manifest(), kind, &[], &of(sources))
}

/// The reported rows are the population minus the exclusions.
fn counts(ran: &Ran) -> (u64, Vec<u64>, u64) {
    let counted = &ran.reconciliation;
    assert_eq!(counted.expected, counted.reported, "{counted:?}");
    (counted.population, counted.excluded.iter().map(|count| count.rows).collect(), counted.reported)
}

#[test]
fn reports_have_the_identities_with_an_account_in_view() {
    let installation = reports::installation();
    let identities = report(&installation, "IDENTITIES", &[AD]);
    assert_eq!(identities.column("name"), ["1", "2", "3"]);
    // Ann and Bob have an account in HR too.
    assert_eq!(identities.column("accountCount"), ["1", "1", "1"]);
    assert_eq!(counts(&identities), (3, vec![0], 3));

    let details = report(&installation, "IDENTITIES_DETAILS", &[AD]);
    assert_eq!(details.column("nativeIdentity"), ["cn=ann,o=x", "cn=bob", "cn=cid"]);
    assert_eq!(counts(&details), (3, vec![0], 3));
    let details = report(&installation, "IDENTITIES_DETAILS", &[HR]);
    assert_eq!(details.column("nativeIdentity"), ["1", "2", "4"]);
    let both = report(&installation, "IDENTITIES_DETAILS", &[AD, HR]);
    assert_eq!(both.csv, installation.report("IDENTITIES_DETAILS", &[]).csv);
}

#[test]
fn accounts_of_other_sources_are_neither_shown_nor_counted() {
    let installation = reports::installation();
    let uncorrelated = report(&installation, "UNCORRELATED_ACCOUNTS", &[AD]);
    assert_eq!(uncorrelated.column("account"), ["cn=cid", "cn=lost"]);
    // Five accounts: a system account, and those of Ann and Bob.
    assert_eq!(counts(&uncorrelated), (5, vec![0, 1, 2], 2));
    // Three live accounts of identities, and the missing one.
    assert_eq!(counts(&report(&installation, "UNCORRELATED_ACCOUNTS", &[HR])), (4, vec![1, 0, 3], 0));

    let orphans = report(&installation, "ORPHAN_IDENTITIES", &[AD]);
    assert_eq!((orphans.column("name"), orphans.column("accounts")), (vec!["3"], vec!["AD:cn=cid"]));
    assert_eq!(counts(&report(&installation, "ORPHAN_IDENTITIES", &[HR])).2, 0);

    let errors = |scope: &[&str]| {
        let source = [("authoritativeSource", RawValue::Text(HR.into()))];
        installation.scoped_report(
            installation.manifest(),
            "IDENTITY_PROFILE_IDENTITY_ERROR",
            &source,
            &of(scope),
        )
    };
    assert_eq!((errors(&[HR]).rows.len(), errors(&[AD]).rows.len()), (1, 0));
}

/// Plans are kept for later runs: each run here has the query of others, but not their tables, arguments or view.
#[test]
fn no_run_gets_the_rows_of_another_snapshot_argument_or_caller() {
    let mut installation = reports::installation();
    let before = installation.manifest().clone();
    installation.source(
        reports::HR,
        "hr.csv",
        "id,given,name,mail,status\n1,Ann,Ohara,ann@x,A\n2,Bob,Omega,bob@x,T\n4,Dee,,dee@x,A\n5,Eve,E,e@x,A\n",
    );
    installation.refresh();
    let now = installation.manifest().clone();
    let (everything, of_ad) = (DataScope::Everything, of(&[AD]));
    for _ in 0..2 {
        for (manifest, scope, correlated_only, names) in [
            (&before, &everything, false, &["1", "2", "3", "4"][..]),
            (&now, &everything, false, &["1", "2", "3", "4", "5"]),
            (&before, &of_ad, false, &["1", "2", "3"]),
            (&now, &everything, true, &["1", "2", "4", "5"]),
            (&before, &everything, true, &["1", "2", "4"]),
            (&now, &of_ad, true, &["1", "2"]),
        ] {
            let only = [("correlatedOnly", RawValue::Boolean(correlated_only))];
            let identities = installation.scoped_report(manifest, "IDENTITIES", &only, scope);
            assert_eq!(identities.column("name"), names);
            assert_eq!(counts(&identities).2, names.len() as u64);
        }
    }
}

#[test]
fn without_a_known_source_there_is_no_row() {
    let installation = reports::installation();
    for scope in [&[][..], &["000000000000000000000000000000ff"]] {
        for kind in ["IDENTITIES", "IDENTITIES_DETAILS", "ORPHAN_IDENTITIES", "UNCORRELATED_ACCOUNTS"] {
            assert_eq!(counts(&report(&installation, kind, scope)).2, 0, "{kind}");
        }
        let found = search::installation().scoped_search("*", &of(scope), |_| {});
        assert!(found.files.values().all(|file| file.rows.is_empty()));
    }
}

#[test]
fn documents_have_what_is_of_the_sources_in_view() {
    let installation = search::installation();
    let names = |query: &str, sources: &[&str]| -> Vec<String> {
        let found = installation.scoped_search(query, &of(sources), |request| {
            request.indices = vec!["identities".into()];
            request.columns = "name,accountCount,accessCount,entitlementCount,accounts.name"
                .split(',')
                .map(str::to_owned)
                .collect();
            request.sort = vec!["name".into()];
        });
        found.files["identities"].rows.iter().map(|row| row.join(" ")).collect()
    };
    assert_eq!(names("*", &[AD]), ["e1 2 2 2 ann; adm-ann", "e2 1 1 1 bob", "e3 1 0 0 cid"]);
    assert_eq!(names("*", &[HR]), ["e1 1 0 0 e1", "e2 1 0 0 e2", "e3 1 0 0 e3", "e4 1 0 0 e4"]);
    // Rows outside the view cannot be queried either.
    assert_eq!(names("sales", &[HR]), Vec::<String>::new());
    assert_eq!(names("sales", &[AD]), ["e1 2 2 2 ann; adm-ann", "e2 1 1 1 bob"]);
    assert_eq!(names("@accounts(source.name:\"HR Global\")", &[AD]), Vec::<String>::new());
    assert_eq!(names("accountCount:3", &[AD]), Vec::<String>::new());
    let entitlements = |sources: &[&str]| {
        let found = installation
            .scoped_search("*", &of(sources), |request| request.indices = vec!["entitlements".into()]);
        found.files["entitlements"].rows.len()
    };
    assert_eq!((entitlements(&[AD]), entitlements(&[HR])), (3, 0));
}
