//! Pages of searches, over the organisation of the other tests. The expected results were derived by hand, or are those
//! of an export.

use crate::installation::{Installation, block_on};
use crate::search;
use muster_engine::search::{Position, SearchPlan, SearchRequest, ShownColumns};
use muster_reports::DataScope;
use muster_reports::ports::Clock;

fn request(installation: &Installation, query: &str, indices: &[&str], sort: &[&str]) -> SearchRequest {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    SearchRequest {
        query: query.to_owned(),
        indices: texts(indices),
        columns: vec!["id".into()],
        sort: texts(sort),
        fields: Vec::new(),
        now: installation.clock.now(),
    }
}

async fn plan(installation: &Installation, request: &SearchRequest, scope: &DataScope) -> SearchPlan {
    installation.engine.prepare_search(installation.manifest(), request, scope).await.unwrap()
}

/// All positions, read in pages of so many.
async fn all(
    installation: &Installation,
    request: &SearchRequest,
    scope: &DataScope,
    rows: usize,
) -> Vec<Position> {
    let mut found: Vec<Position> = Vec::new();
    loop {
        let plan = plan(installation, request, scope).await;
        let page = plan.positions(&request.sort, found.last(), 0, rows).await.unwrap();
        let is_last = page.len() < rows;
        found.extend(page);
        if is_last {
            let counted = plan.count().await.unwrap();
            assert_eq!(counted, found.len() as u64, "{}", request.query);
            return found;
        }
    }
}

/// The first value of the sort keys of each document: `name` where that is the first key.
fn values(positions: &[Position]) -> String {
    let value = |position: &Position| position.values()[0].clone().unwrap_or_else(|| "-".into());
    positions.iter().map(value).collect::<Vec<_>>().join(" ")
}

#[test]
fn pages_have_the_documents_of_an_export_in_its_order() {
    let installation = search::installation();
    for (query, sort) in [
        ("*", &["name"][..]),
        ("", &["name"]),
        ("*", &[]),
        ("*", &["-id"]),
        ("*", &["attributes.city"]),
        ("*", &["-attributes.city"]),
        ("*", &["accountCount", "-lastName"]),
        ("*", &["-accounts.name"]),
        ("*", &["access.name", "name"]),
        ("*", &["manager.name", "-created"]),
        ("NOT accounts.disabled:true", &["-name"]),
        ("@accounts(source.name:\"Active Directory\" AND disabled:true)", &["name"]),
        ("attributes.city:york OR smith", &["displayName"]),
        ("created:[now-1h TO now]", &["created"]),
        ("attributes.nothing:x", &["name"]),
    ] {
        let request = request(&installation, query, &["identities"], sort);
        let exported = installation.search(query, |export| *export = request.clone());
        let exported = exported.files["identities"].column("id");
        for rows in [1, 2, 3, 250] {
            let found = block_on(all(&installation, &request, &DataScope::Everything, rows));
            let found: Vec<_> = found.iter().map(Position::id).collect();
            assert_eq!(found, exported, "{query} {sort:?}, {rows} at a time");
        }
    }
}

#[test]
fn documents_without_a_value_are_last_in_pages_too() {
    let installation = search::installation();
    let cities = |key: &str, rows| {
        let request = request(&installation, "*", &["identities"], &[key, "name"]);
        let found = block_on(all(&installation, &request, &DataScope::Everything, rows));
        found.iter().map(|position| position.values()[1].clone().unwrap()).collect::<Vec<_>>().join(" ")
    };
    for rows in 1..5 {
        assert_eq!(cities("attributes.city", rows), "e3 e1 e2 e4");
        assert_eq!(cities("-attributes.city", rows), "e2 e1 e3 e4");
    }
}

#[test]
fn all_types_of_document_are_in_one_order() {
    let installation = search::installation();
    // Four identities, e1 to e4, and the entitlements "Admins", "Sales Team" and "Sales; East".
    for rows in [1, 2, 250] {
        let names = |sort: &[&str]| {
            values(&block_on(all(
                &installation,
                &request(&installation, "*", &[], sort),
                &DataScope::Everything,
                rows,
            )))
        };
        assert_eq!(names(&["name"]), "Admins Sales Team Sales; East e1 e2 e3 e4");
        assert_eq!(names(&["-name"]), "e4 e3 e2 e1 Sales; East Sales Team Admins");
        // Entitlements have no such field.
        assert_eq!(names(&["-accountCount"]), "3 2 2 1 - - -");
    }
}

#[test]
fn an_offset_leaves_out_the_first_documents() {
    let installation = search::installation();
    let request = request(&installation, "*", &["identities"], &["name"]);
    let found = |skipped, rows| {
        let positions = async {
            let plan = plan(&installation, &request, &DataScope::Everything).await;
            plan.positions(&request.sort, None, skipped, rows).await.unwrap()
        };
        values(&block_on(positions))
    };
    assert_eq!(found(0, 2), "e1 e2");
    assert_eq!(found(1, 2), "e2 e3");
    assert_eq!(found(3, 2), "e4");
    assert_eq!((found(4, 2), found(0, 0)), (String::new(), String::new()));
}

#[test]
fn pages_show_what_the_scope_shows() {
    let installation = search::installation();
    let directory = DataScope::of_sources(["000000000000000000000000000000a2"]).unwrap();
    let request = request(&installation, "*", &[], &["-accountCount", "name"]);
    // Dee has no account there. Accounts of other sources are not counted.
    assert_eq!(values(&block_on(all(&installation, &request, &directory, 1))), "2 1 1 - - -");
    let nothing = DataScope::of_sources([]).unwrap();
    assert_eq!(values(&block_on(all(&installation, &request, &nothing, 1))), "");
}

#[test]
fn documents_are_read_by_their_positions() {
    let installation = search::installation();
    let request = request(&installation, "name:(e1 e3 admins)", &[], &["name"]);
    block_on(async {
        let plan = plan(&installation, &request, &DataScope::Everything).await;
        let positions = plan.positions(&request.sort, None, 0, 250).await.unwrap();
        let shown = ShownColumns { includes: vec!["name".into(), "source.name".into()], nested: true };
        let found = plan.documents(&positions, &shown).await.unwrap();
        let mut rows = 0;
        for (document_type, batch) in &found {
            let schema = batch.schema();
            let columns: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            assert_eq!(columns, ["id", "name", "source"], "{document_type:?}");
            rows += batch.num_rows();
        }
        assert_eq!(rows, 3);
        assert!(plan.document("nobody").await.unwrap().is_none());
    });
}

#[test]
fn a_sort_key_that_there_is_not_is_refused() {
    let installation = search::installation();
    for (sort, expected) in [
        (
            "displayNmae",
            "sort has \"displayNmae\": the searched documents have no such field to sort by: the nearest name is \"displayName\"",
        ),
        ("-accounts", "sort has \"-accounts\": the searched documents have no such field to sort by"),
        ("", "sort has \"\": the searched documents have no such field to sort by"),
    ] {
        let request = request(&installation, "*", &["identities"], &[sort]);
        let refused = block_on(async {
            let plan = plan(&installation, &request, &DataScope::Everything).await;
            plan.positions(&request.sort, None, 0, 1).await.unwrap_err()
        });
        assert!(refused.to_string().starts_with(expected), "{refused}");
    }
}
