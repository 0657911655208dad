//! Tables of several batches (8,192 rows each), computed by one to four threads, several times each: the same bytes, in
//! order, with all sums as expected from the organisation's construction.

use crate::installation::{HR, Installation, Ran};
use muster_reports::DataScope;
use muster_reports::ids::SourceId;
use muster_sources::SourceDefinition;

/// A little more than three batches.
const PEOPLE: usize = 25_000;
/// Accounts without a known owner: more than a batch.
const STRANGERS: usize = 9_000;

const DIRECTORY: &str = r#"
name = "Directory"
kind = "delimited"
[delimited]
path = "directory.csv"
native_identity = "dn"
name_column = "login"
multi_value_separator = "|"
multi_valued = ["groups"]
entitlements = ["groups"]
[[correlation]]
identity_attribute = "uid"
account_attribute = "owner"
"#;

/// The number of the person in row `row`. No file is sorted.
fn shuffled(row: usize, of: usize) -> usize {
    // A prime that divides none of the numbers used here.
    row * 7_919 % of
}

fn uid(person: usize) -> String {
    format!("u{person:05}")
}

/// The groups of each account of a person in the directory. One person of five has no account, one of ten has two
/// accounts, which have one group in common.
fn accounts_of(person: usize) -> Vec<Vec<String>> {
    if person.is_multiple_of(5) {
        return Vec::new();
    }
    let (first, second) = (format!("a{}", person % 7), format!("b{}", person % 11));
    let mut accounts = vec![vec![second, first.clone()]];
    if person % 10 == 1 {
        accounts.push(vec![first, "c".into()]);
    }
    accounts
}

fn people() -> impl Iterator<Item = usize> {
    (0..PEOPLE).map(|row| shuffled(row, PEOPLE))
}

/// The files, without the directory accounts of the person `without`.
fn write_sources(installation: &mut Installation, without: Option<usize>) {
    let mut hr = "id,name,mail\n".to_owned();
    for person in people() {
        hr += &format!("{uid},Name {0},{uid}@example.com\n", person % 100, uid = uid(person));
    }
    installation.source(HR, "hr.csv", &hr);
    let mut directory = "dn,login,owner,groups\n".to_owned();
    for person in people().filter(|person| Some(*person) != without) {
        for (at, groups) in accounts_of(person).iter().enumerate() {
            let uid = uid(person);
            // Several accounts have the same name: the native identity decides.
            directory += &format!("cn={uid}-{at},l{:03},{uid},{}\n", person % 500, groups.join("|"));
        }
    }
    for stranger in (0..STRANGERS).map(|row| shuffled(row, STRANGERS)) {
        directory += &format!("cn=x{stranger:05},x{stranger:05},nobody,\n");
    }
    installation.source(DIRECTORY, "directory.csv", &directory);
}

fn assert_sorted<K: Ord + std::fmt::Debug>(what: &str, keys: impl Iterator<Item = K>, rows: usize) {
    let keys: Vec<K> = keys.collect();
    assert_eq!(keys.len(), rows, "{what}");
    let wrong = keys.windows(2).find(|pair| pair[0] >= pair[1]);
    assert_eq!(wrong, None, "{what}");
}

fn pairs<'a>(ran: &'a Ran, columns: [&str; 2]) -> impl Iterator<Item = (String, String)> + 'a {
    let [first, second] = columns.map(|name| ran.column(name));
    first.into_iter().zip(second).map(|(first, second)| (first.to_owned(), second.to_owned()))
}

/// Every report file over a snapshot of the whole organisation, after a check of its order and its sums.
fn files(installation: &Installation) -> Vec<String> {
    let directory_accounts: usize = (0..PEOPLE).map(|person| accounts_of(person).len()).sum();
    let identities = installation.report("IDENTITIES", &[]);
    let expected: Vec<String> = (0..PEOPLE).map(uid).collect();
    assert_eq!(identities.column("name"), expected);

    let accounts = installation.accounts("Directory");
    assert_sorted("ACCOUNTS", pairs(&accounts, ["name", "nativeIdentity"]), directory_accounts + STRANGERS);

    let details = installation.report("IDENTITIES_DETAILS", &[]);
    let keys = pairs(&details, ["name", "sourceName"]).zip(pairs(&details, ["nativeIdentity", "id"]));
    assert_sorted("IDENTITIES_DETAILS", keys, PEOPLE + directory_accounts);

    let uncorrelated = installation.report("UNCORRELATED_ACCOUNTS", &[]);
    let expected: Vec<String> = (0..STRANGERS).map(|stranger| format!("cn=x{stranger:05}")).collect();
    assert_eq!(uncorrelated.column("account"), expected);

    let directory = DataScope::Sources([SourceId::new(SourceDefinition::derived_id("Directory"))].into());
    let limited = installation.scoped_report(installation.manifest(), "IDENTITIES", &[], &directory);
    let expected: Vec<String> =
        (0..PEOPLE).filter(|person| !accounts_of(*person).is_empty()).map(uid).collect();
    assert_eq!(limited.column("name"), expected, "of a caller who sees the directory only");

    let found = installation.search("*", |request| {
        request.indices = vec!["identities".into()];
        request.columns = ["name", "accountCount", "accessCount", "access.value"].map(str::to_owned).to_vec();
        request.sort = vec!["-name".into()];
    });
    let documents = &found.files["identities"];
    for (row, person) in documents.rows.iter().zip((0..PEOPLE).rev()) {
        let accounts = accounts_of(person);
        let mut rights: Vec<String> = accounts.concat();
        rights.sort();
        rights.dedup();
        // The account on HR counts, too.
        let expected =
            [uid(person), (accounts.len() + 1).to_string(), rights.len().to_string(), rights.join("; ")];
        assert_eq!(row[..], expected);
    }
    let spread = installation.search("@accounts(source.name:Directory)", |request| {
        request.indices = vec!["identities".into()];
        request.columns = ["id", "name", "access.spread"].map(str::to_owned).to_vec();
    });
    let spread = &spread.files["identities"];
    // 20,000 people with an account have two rights, and 2,500 of them a third.
    assert_eq!(spread.rows.len(), 42_500);
    assert!(spread.column("id").is_sorted());
    let all = [&identities, &accounts, &details, &uncorrelated, &limited, documents, spread];
    all.map(|ran| ran.csv.clone()).to_vec()
}

#[test]
fn any_number_of_threads_gives_the_same_bytes_in_order() {
    let mut first: Option<Vec<String>> = None;
    for threads in [1, 2, 3, 4] {
        let mut installation = Installation::with_threads(threads);
        write_sources(&mut installation, None);
        installation.refresh();
        for run in 0..3 {
            let files = files(&installation);
            let expected = first.get_or_insert_with(|| files.clone());
            for (at, (file, expected)) in files.iter().zip(expected.iter()).enumerate() {
                assert!(file == expected, "{threads} threads, run {run}: file {at} differs");
            }
        }
    }
}

/// Documents are built from sorted streams. Once, streams were not sorted although the code assumed it; then a refresh
/// could leave thousands of people without accounts.
#[test]
fn every_refresh_gives_documents_all_accounts_and_rights() {
    for threads in [2, 3, 4] {
        let mut installation = Installation::with_threads(threads);
        installation.full = true;
        write_sources(&mut installation, None);
        for _ in 0..3 {
            installation.refresh();
            assert_eq!(sums(&installation), (47_500, 42_500), "{threads} threads");
        }
        // An incremental refresh: one person has lost their accounts, that is one account and its two rights.
        installation.full = false;
        write_sources(&mut installation, Some(2));
        installation.refresh();
        assert_eq!(sums(&installation), (47_499, 42_498), "{threads} threads");
    }
}

/// The sums of accounts and rights in documents.
fn sums(installation: &Installation) -> (u64, u64) {
    let found = installation.search("*", |request| {
        request.indices = vec!["identities".into()];
        request.columns = ["accountCount", "accessCount"].map(str::to_owned).to_vec();
    });
    let sum = |column: &str| {
        found.files["identities"].column(column).iter().map(|cell| cell.parse::<u64>().unwrap()).sum()
    };
    (sum("accountCount"), sum("accessCount"))
}
