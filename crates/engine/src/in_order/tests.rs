//! Tables are written as a refresh writes them, and read as a report reads them. What is expected is sorted here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::cancellation::RunGuard;
use crate::declared::{ACCOUNTS, IDENTITIES, IDENTITY_DOCUMENTS, Table};
use crate::error::{EngineError, Result};
use crate::order::{Ordered, SortKey};
use crate::parquet_file::{self, ParquetFile};
use crate::partitions::{self, Partitioning, RewritePlan};
use crate::session::{Engine, EngineSettings};
use crate::tables;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, new_null_array};
use datafusion::dataframe::DataFrame;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{SessionContext, ident};
use muster_reports::ids::stable_id;

/// Two files of identities.
const PEOPLE: usize = 20_000;
/// Two files of accounts in the first of two sources.
const LOGINS: usize = 30_000;

/// A cell: null or a text. Nulls are last.
type Cell = (bool, String);

fn cell(text: Option<String>) -> Cell {
    (text.is_none(), text.unwrap_or_default())
}

struct Person {
    id: String,
    name: Option<String>,
}

struct Login {
    id: String,
    source: &'static str,
    native: String,
    name: Option<String>,
    /// The number of its owner.
    owner: Option<usize>,
}

/// Many people have one name, and some have none.
fn people() -> Vec<Person> {
    let person = |number: usize| Person {
        id: stable_id(["person", &number.to_string()]),
        name: (number % 100 != 7).then(|| format!("n{}", number * 7_919 % 3_000)),
    };
    (0..PEOPLE).map(person).collect()
}

/// A person has none, one or several of them.
fn logins() -> Vec<Login> {
    let login = |number: usize| Login {
        id: stable_id(["login", &number.to_string()]),
        source: if number.is_multiple_of(5) { "small" } else { "large" },
        native: format!("cn={:06}", number * 104_729 % 1_000_003),
        name: (number % 50 != 3).then(|| format!("l{}", number % 700)),
        owner: (!number.is_multiple_of(9)).then_some(number * 31 % (PEOPLE - 50)),
    };
    (0..LOGINS).map(login).collect()
}

/// Rows of a table. The other columns are null.
fn rows(table: &str, columns: &[(&str, Vec<Option<&str>>)]) -> RecordBatch {
    let schema = Table::of(table).schema();
    let rows = columns[0].1.len();
    let column = |name: &String| -> Option<ArrayRef> {
        let (_, values) = columns.iter().find(|(known, _)| known == name)?;
        Some(std::sync::Arc::new(StringArray::from(values.clone())))
    };
    let arrays = schema
        .fields()
        .iter()
        .map(|field| column(field.name()).unwrap_or_else(|| new_null_array(field.data_type(), rows)));
    let arrays = arrays.collect();
    RecordBatch::try_new(schema, arrays).unwrap()
}

fn identities(people: &[Person]) -> RecordBatch {
    let ids = people.iter().map(|person| Some(person.id.as_str())).collect();
    let names = people.iter().map(|person| person.name.as_deref()).collect();
    rows(IDENTITIES, &[("id", ids), ("name", names)])
}

fn accounts(people: &[Person], logins: &[Login]) -> RecordBatch {
    let owner = |login: &Login| login.owner.map(|owner| people[owner].id.clone());
    let owners: Vec<_> = logins.iter().map(owner).collect();
    rows(
        ACCOUNTS,
        &[
            ("id", logins.iter().map(|login| Some(login.id.as_str())).collect()),
            ("source_id", logins.iter().map(|login| Some(login.source)).collect()),
            ("native_identity", logins.iter().map(|login| Some(login.native.as_str())).collect()),
            ("name", logins.iter().map(|login| login.name.as_deref()).collect()),
            ("identity_id", owners.iter().map(Option::as_deref).collect()),
        ],
    )
}

/// An engine over an empty folder, and a runtime.
struct Place {
    dir: tempfile::TempDir,
    engine: Engine,
    runtime: tokio::runtime::Runtime,
}

impl Place {
    fn new(threads: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = EngineSettings {
            tables_dir: dir.path().join("tables"),
            work_dir: dir.path().join("work"),
            memory_limit_bytes: 1 << 30,
            threads,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        Self { engine: Engine::open(settings).unwrap(), dir, runtime }
    }

    /// Writes the rows as a refresh does. Returns the version.
    fn write(&self, table: &str, rows: &RecordBatch) -> u64 {
        let dir = self.dir.path().join("tables");
        let declared = Table::of(table);
        let partitioning = Partitioning::of(declared).unwrap();
        let in_group = |group: &str| {
            let of = rows.column_by_name(partitioning.group.unwrap()).unwrap();
            of.as_string::<i32>().iter().filter(|value| *value == Some(group)).count() as u64
        };
        let groups = match partitioning.group {
            None => vec![(None, rows.num_rows() as u64)],
            Some(_) => ["small", "large"].map(|group| (Some(group.to_owned()), in_group(group))).into(),
        };
        let plan = RewritePlan::whole(&partitioning, groups);
        self.runtime.block_on(async {
            let context = self.engine.session();
            tables::create(&dir, declared.name, &declared.schema()).await.unwrap();
            let frame = context.read_batch(rows.clone()).unwrap();
            let files = partitions::write(&partitioning, &dir, "5a5a", &plan, frame).await.unwrap();
            tables::commit(&dir, declared.name, &files).await.unwrap()
        })
    }

    fn both(&self, people: &[Person], logins: &[Login]) -> Versions {
        Versions {
            identities: self.write(IDENTITIES, &identities(people)),
            accounts: self.write(ACCOUNTS, &accounts(people, logins)),
        }
    }

    /// The rows of a query in the order of the first `keys` of its columns, as a report has them, and the plan.
    fn read(&self, versions: Versions, sql: &str, keys: usize) -> (Result<Vec<Vec<Cell>>>, String) {
        self.read_of(&[(IDENTITIES, versions.identities), (ACCOUNTS, versions.accounts)], sql, keys)
    }

    fn read_of(&self, versions: &[(&str, u64)], sql: &str, keys: usize) -> (Result<Vec<Vec<Cell>>>, String) {
        let running = RunGuard::default();
        let context = self.engine.session_until(running.signal());
        let dir = self.dir.path().join("tables");
        self.runtime.block_on(async {
            for (table, version) in versions {
                tables::register(&context, &dir, table, *version, table).await.unwrap();
            }
            let ordered = ordered(&context, sql, keys).await;
            let plan = ordered.frame().clone().create_physical_plan().await.unwrap();
            (cells(ordered).await, displayable(plan.as_ref()).indent(true).to_string())
        })
    }
}

#[derive(Clone, Copy)]
struct Versions {
    identities: u64,
    accounts: u64,
}

async fn ordered(context: &SessionContext, sql: &str, keys: usize) -> Ordered {
    let query: DataFrame = context.sql(sql).await.unwrap();
    let names: Vec<String> = query.schema().fields().iter().map(|field| field.name().clone()).collect();
    let keys = names.iter().take(keys).map(|name| SortKey::column(name)).collect();
    let columns = names.iter().map(|name| (name.clone(), ident(name))).collect();
    Ordered::new(query, columns, keys).unwrap()
}

async fn cells(ordered: Ordered) -> Result<Vec<Vec<Cell>>> {
    let (mut rows, mut found) = (ordered.start("test").await?, Vec::new());
    while let Some(batch) = rows.next().await? {
        let columns: Vec<_> = batch.columns().iter().map(|column| column.as_string::<i32>()).collect();
        for row in 0..batch.num_rows() {
            let value =
                |column: &&StringArray| cell((!column.is_null(row)).then(|| column.value(row).to_owned()));
            found.push(columns.iter().map(value).collect());
        }
    }
    Ok(found)
}

/// That the plan merges sorted files, and that it could be sent to another process.
fn assert_merged(plan: &str, files: usize) {
    assert!(!plan.contains(" SortExec") && plan.contains("SortPreservingMergeExec"), "{plan}");
    assert!(plan.contains(&format!("file_groups={{{files} groups")), "{plan}");
    assert!(!plan.contains("Delta"), "{plan}");
}

#[test]
fn the_rows_of_a_table_are_merged_and_not_sorted() {
    let people = people();
    let mut expected: Vec<Vec<Cell>> =
        people.iter().map(|person| vec![cell(person.name.clone()), cell(Some(person.id.clone()))]).collect();
    expected.sort();
    for threads in [1, 2, 4] {
        let place = Place::new(threads);
        let versions = place.both(&people, &[]);
        let (found, plan) = place.read(versions, "SELECT name, id FROM identities", 2);
        if threads <= 2 {
            assert_merged(&plan, 2);
        }
        assert!(found.unwrap() == expected, "{threads} threads");
    }
}

/// The order of a search without a sort.
#[test]
fn documents_are_merged_in_the_order_of_their_ids() {
    let people: Vec<_> = people().into_iter().take(10_000).collect();
    let ids = people.iter().map(|person| Some(person.id.as_str())).collect();
    let names = people.iter().map(|person| person.name.as_deref()).collect();
    let documents = rows(IDENTITY_DOCUMENTS, &[("id", ids), ("name", names)]);
    let mut expected: Vec<Vec<Cell>> =
        people.iter().map(|person| vec![cell(Some(person.id.clone())), cell(person.name.clone())]).collect();
    expected.sort();
    for threads in [1, 2, 4] {
        let place = Place::new(threads);
        let version = place.write(IDENTITY_DOCUMENTS, &documents);
        let sql = "SELECT id, name FROM identity_documents WHERE name IS NULL OR name <> 'x'";
        let (found, plan) = place.read_of(&[(IDENTITY_DOCUMENTS, version)], sql, 1);
        if threads <= 2 {
            assert_merged(&plan, 3);
        }
        assert!(found.unwrap() == expected, "{threads} threads");
    }
}

#[test]
fn a_join_keeps_the_order_of_the_accounts_of_a_source() {
    let (people, logins) = (people(), logins());
    let expected = |source: &str| {
        let row = |login: &Login| {
            let owner = login.owner.and_then(|owner| people[owner].name.clone());
            vec![cell(login.name.clone()), cell(Some(login.native.clone())), cell(owner)]
        };
        let mut rows: Vec<_> = logins.iter().filter(|login| login.source == source).map(row).collect();
        rows.sort();
        rows
    };
    for threads in [1, 2, 4] {
        let place = Place::new(threads);
        let versions = place.both(&people, &logins);
        // Only the files of the source are read.
        for (source, files) in [("large", 2), ("small", 1)] {
            let sql = format!(
                "SELECT a.name, a.native_identity AS native, i.name AS owner FROM accounts a \
                 LEFT JOIN identities i ON i.id = a.identity_id WHERE a.source_id = '{source}'"
            );
            let (found, plan) = place.read(versions, &sql, 2);
            assert!(plan.contains(&format!("file_groups={{{files} group")), "{plan}");
            if threads <= files {
                assert!(!plan.contains(" SortExec"), "{plan}");
            }
            assert!(found.unwrap() == expected(source), "{threads} threads, {source}");
        }
    }
}

#[test]
fn the_accounts_of_each_identity_are_sorted_by_themselves() {
    let (people, logins) = (people(), logins());
    let mut expected = Vec::new();
    for (number, person) in people.iter().enumerate() {
        let row = |native| vec![cell(person.name.clone()), cell(Some(person.id.clone())), cell(native)];
        let before = expected.len();
        let own = logins.iter().filter(|login| login.owner == Some(number));
        expected.extend(own.map(|login| row(Some(login.native.clone()))));
        if expected.len() == before {
            expected.push(row(None));
        }
    }
    expected.sort();
    for threads in [1, 2, 4] {
        let place = Place::new(threads);
        let versions = place.both(&people, &logins);
        let sql = "SELECT i.name, i.id, a.native_identity AS native FROM identities i \
                   LEFT JOIN accounts a ON a.identity_id = i.id";
        let (found, plan) = place.read(versions, sql, 3);
        // There are two files.
        assert_eq!(plan.contains(" PartialSortExec"), threads <= 2, "{plan}");
        assert_eq!(plan.contains(" SortExec"), threads > 2, "{plan}");
        assert!(found.unwrap() == expected, "{threads} threads");
    }
}

/// The first login, by its native identity, of each of some people, as a report has them.
fn first_logins(people: &[Person], logins: &[Login], shown: impl Fn(&Person) -> bool) -> Vec<Vec<Cell>> {
    let row = |(number, person): (usize, &Person)| {
        let own = logins.iter().filter(|login| login.owner == Some(number));
        let first = own.map(|login| login.native.clone()).min();
        vec![cell(person.name.clone()), cell(Some(person.id.clone())), cell(first)]
    };
    let mut rows: Vec<_> = people.iter().enumerate().filter(|(_, person)| shown(person)).map(row).collect();
    rows.sort();
    rows
}

#[test]
fn no_lists_of_all_accounts_are_held_for_the_order_of_a_few_people() {
    let (people, logins) = (people(), logins());
    let expected = first_logins(&people, &logins, |person| person.name.as_deref() == Some("n7"));
    assert!(!expected.is_empty());
    for threads in [1, 2, 4] {
        let place = Place::new(threads);
        let versions = place.both(&people, &logins);
        let sql = "SELECT i.name, i.id, l.first FROM identities i LEFT JOIN \
                   (SELECT identity_id, min(native_identity) AS first FROM accounts GROUP BY identity_id) l \
                   ON l.identity_id = i.id WHERE i.name = 'n7'";
        let (found, plan) = place.read(versions, sql, 3);
        // The few people are held and sorted, and accounts of others are not read.
        assert!(plan.contains(" SortExec") && plan.contains("join_type=Left,"), "{plan}");
        assert!(plan.contains("DynamicFilter"), "{plan}");
        assert!(found.unwrap() == expected, "{threads} threads");
    }
}

#[test]
fn many_accounts_are_not_held_for_the_order_of_few_people() {
    let (people, mut logins) = (people(), logins());
    // Fifteen times as many as people.
    let people = &people[..LOGINS / 15];
    logins.iter_mut().for_each(|login| login.owner = login.owner.map(|owner| owner % people.len()));
    let mut expected: Vec<Vec<Cell>> = Vec::new();
    for login in &logins {
        let Some(owner) = login.owner.map(|owner| &people[owner]) else { continue };
        let native = cell(Some(login.native.clone()));
        expected.push(vec![cell(owner.name.clone()), cell(Some(owner.id.clone())), native]);
    }
    expected.sort();
    for threads in [1, 2, 4] {
        let place = Place::new(threads);
        let versions = place.both(people, &logins);
        let sql = "SELECT i.name, i.id, a.native_identity AS native FROM identities i \
                   JOIN accounts a ON a.identity_id = i.id";
        let (found, plan) = place.read(versions, sql, 3);
        assert!(plan.contains(" SortExec") && plan.contains("DynamicFilter"), "{plan}");
        assert!(found.unwrap() == expected, "{threads} threads");
    }
}

#[test]
fn an_order_that_the_files_do_not_have_takes_a_sort() {
    let people = people();
    let place = Place::new(2);
    let versions = place.both(&people, &[]);
    let mut expected: Vec<Vec<Cell>> = people
        .iter()
        .map(|person| {
            let name = person.name.clone();
            vec![cell(name.as_ref().map(|name| name.to_uppercase())), cell(Some(person.id.clone()))]
        })
        .collect();
    expected.sort();
    let (found, plan) = place.read(versions, "SELECT upper(name) AS name, id FROM identities", 2);
    assert!(plan.contains("SortExec"), "{plan}");
    assert!(found.unwrap() == expected);
}

/// A version of `identities` that is one file with these rows. If `order` is not empty, the file says that they are
/// sorted.
fn one_file(place: &Place, rows: &RecordBatch, order: &[&str]) -> Versions {
    let versions = place.both(&[], &[]);
    let dir = place.dir.path().join("tables");
    let sorted = parquet_file::sorting_columns(&rows.schema(), order).unwrap();
    let properties = parquet_file::of_tables(1_000).set_sorting_columns(Some(sorted)).build();
    let path = dir.join(IDENTITIES).join("all-000-of001-6b6b.parquet");
    let mut file = ParquetFile::create_with(path.clone(), rows.schema(), properties).unwrap();
    file.write(rows).unwrap();
    file.close().unwrap();
    let bytes = path.metadata().unwrap().len();
    let file =
        tables::DataFile { name: "all-000-of001-6b6b.parquet".into(), bytes, rows: rows.num_rows() as u64 };
    let identities = place.runtime.block_on(tables::commit(&dir, IDENTITIES, &[file])).unwrap();
    Versions { identities, ..versions }
}

#[test]
fn a_file_that_is_not_sorted_as_it_says_is_refused() {
    let place = Place::new(1);
    let mut people = people();
    people.sort_by_key(|person| (cell(person.name.clone()), person.id.clone()));
    // Two people change places, in another batch than the first.
    people.swap(9_000, 9_001);
    let versions = one_file(&place, &identities(&people), &["name", "id"]);
    let (found, plan) = place.read(versions, "SELECT name, id FROM identities", 2);
    assert!(!plan.contains(" SortExec"), "{plan}");
    let refused = found.unwrap_err();
    assert!(matches!(&refused, EngineError::Disorder(what) if what.contains("row 9002")), "{refused}");
}

#[test]
fn a_file_that_says_nothing_of_its_order_is_sorted() {
    let people = people();
    let mut expected: Vec<Vec<Cell>> =
        people.iter().map(|person| vec![cell(person.name.clone()), cell(Some(person.id.clone()))]).collect();
    expected.sort();
    for order in [&[][..], &["name"], &["id", "name"]] {
        let place = Place::new(2);
        let versions = one_file(&place, &identities(&people), order);
        let (found, plan) = place.read(versions, "SELECT name, id FROM identities", 2);
        assert!(plan.contains("SortExec"), "{order:?}: {plan}");
        assert!(found.unwrap() == expected, "{order:?}");
    }
}

#[test]
fn a_count_of_all_rows_reads_no_file() {
    let place = Place::new(2);
    let versions = place.both(&people(), &[]);
    let (_, plan) = place.read(versions, "SELECT CAST(count(*) AS TEXT) AS n FROM identities", 1);
    assert!(!plan.contains("DataSourceExec"), "{plan}");
}
