//! Plans every step over empty tables, so that a wrong name is found without data.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{ALL, Step, StepKind, Words, expanded, words_of, words_of_identities};
use crate::declared::{Table, documents as schema_of};
use crate::functions::{AccountColumnsFunction, MomentFunction};
use crate::query;
use crate::refresh::{accounts, authoritative, correlate, documents, publish, stage};
use crate::session::{Engine, EngineSettings};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;
use muster_sources::DocumentType;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The relations that the program registers: the last snapshot, the records, the properties of sources, and the written
/// tables.
pub(super) fn inputs() -> Vec<(String, SchemaRef)> {
    let mut inputs = stage::nothing_read();
    for table in Table::all() {
        if table.read_again {
            inputs.push((format!("prev_{}", table.name), table.schema()));
        }
        inputs.push((format!("written_{}", table.name), table.schema()));
    }
    for document_type in DocumentType::ALL {
        inputs.push((documents::made_of(document_type), schema_of(document_type)));
    }
    let batches = [
        ("staged_names", stage::names_batch(&[])),
        ("source_flags", accounts::flags_batch(&[], &BTreeMap::new())),
        ("manual_links", correlate::manual_links_batch(&[])),
        ("profiles", authoritative::profiles_batch(&[])),
        ("document_sources", documents::sources_batch(&[])),
        ("numbers_next", publish::numbers_batch(&[])),
    ];
    inputs.extend(batches.map(|(name, batch)| (name.to_owned(), batch.unwrap().schema())));
    inputs.push(("sources_next".to_owned(), Table::of("sources").schema()));
    inputs
}

/// The words of each run of a step.
fn words(step: &Step) -> Vec<Words> {
    let names = [step.name, step.reads].concat();
    if names.contains("{type}") {
        DocumentType::ALL.map(words_of).into()
    } else if names.contains("{table}") {
        ["role_documents", "access_profile_documents"].map(|table| vec![("table", table.to_owned())]).into()
    } else if ["{known}", "{before}", "{identities}"].iter().any(|word| names.contains(word)) {
        [false, true].map(words_of_identities).into()
    } else {
        vec![Words::new()]
    }
}

fn register(context: &SessionContext, name: &str, schema: &SchemaRef) {
    context.deregister_table(name).unwrap();
    context.register_table(name, Arc::new(EmptyTable::new(Arc::clone(schema)))).unwrap();
}

fn names(text: &str) -> Vec<String> {
    text.split([' ', ',', '"']).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn every_step_is_planned_over_empty_tables() {
    let dir = tempfile::tempdir().unwrap();
    let [tables_dir, work_dir] = ["tables", "work"].map(|name| dir.path().join(name));
    let settings = EngineSettings { tables_dir, work_dir, memory_limit_bytes: 64 << 20, threads: 1 };
    let engine = Engine::open(settings).unwrap();
    let context = engine.session();
    for function in ["refresh_time", "no_time"] {
        context.register_udf(ScalarUDF::from(MomentFunction::new(function, Some(0))));
    }
    authoritative::register_mappings(&context, &[]);
    context.register_udf(ScalarUDF::from(AccountColumnsFunction::new([])));
    for (name, schema) in inputs() {
        register(&context, &name, &schema);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut left: BTreeMap<String, BTreeMap<String, DataType>> = BTreeMap::new();
    for (step, words) in ALL.iter().flat_map(|step| words(step).into_iter().map(move |words| (step, words))) {
        let sql = step.sql(&words);
        let statement = query::parse(&context, &sql).unwrap_or_else(|e| panic!("{}: {e}", step.file));
        let read = context.state().resolve_table_references(&statement).unwrap();
        let read: BTreeSet<_> = read.iter().map(ToString::to_string).collect();
        let declared: BTreeSet<_> = names(&expanded(step.reads, &words)).into_iter().collect();
        assert_eq!(read, declared, "{} reads", step.file);
        for (value, _) in step.values {
            assert!(sql.contains(&format!("${value}")), "{} has no ${value}", step.file);
        }
        let plan = runtime.block_on(async {
            let plan = query::plan(&context, &sql, &step.any_values()).await?;
            plan.clone().create_physical_plan().await.map(|_| plan)
        });
        let plan = plan.unwrap_or_else(|e| panic!("{}: {e}", step.file));
        let schema = Arc::clone(plan.schema().inner());
        // Columns are compared by name. Their order is that of the query.
        let columns: BTreeMap<_, _> =
            schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect();
        assert_eq!(columns.len(), schema.fields().len(), "{} leaves a column twice", step.file);
        let declared: BTreeSet<_> = names(&expanded(step.leaves, &words)).into_iter().collect();
        assert_eq!(columns.keys().cloned().collect::<BTreeSet<_>>(), declared, "{} leaves", step.file);
        if step.kind != StepKind::Read {
            let name = step.relation(&words);
            register(&context, &name, &schema);
            let before = left.insert(name, columns.clone());
            let before = before.unwrap_or_else(|| columns.clone());
            let other: Vec<_> = columns.iter().filter(|(name, of)| before.get(*name) != Some(of)).collect();
            assert!(before == columns, "{} leaves other columns: {other:?} instead of {before:?}", step.file);
        }
    }
}

#[test]
fn every_file_is_a_step() {
    let files: BTreeSet<_> = std::fs::read_dir("src/refresh/steps")
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".sql"))
        .collect();
    assert_eq!(files, ALL.iter().map(|step| step.file.to_owned()).collect());
}

#[test]
fn braces_are_expanded() {
    let expanded = |text: &str| expanded(text, &vec![("type", "roles".to_owned())]);
    assert_eq!(expanded("read_{type} x"), "read_roles x");
    assert_eq!(expanded("{p: identity_profiles.all but profile}"), "p.source_id, p.source_name, p.priority");
    let differs = expanded("{n p: accounts.compared}");
    assert!(
        differs.starts_with("(n.source_name IS DISTINCT FROM p.source_name) OR (n.native_identity"),
        "{differs}"
    );
    let lists = "array_to_string(n.candidates, ',') IS DISTINCT FROM array_to_string(p.candidates, ',')";
    assert!(differs.contains(lists), "{differs}");
}
