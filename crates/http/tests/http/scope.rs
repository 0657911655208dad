//! Data scopes: which reports they permit, which tasks they share, which tasks they show.

use crate::world::{ACCOUNTS, World};
use muster_reports::Caller;
use muster_reports::caller::{DataScope, Scope, UserLevel};
use muster_reports::ids::{ClientId, WorkerId};
use muster_reports::ports::{Clock, TaskStore};
use muster_testkit::build;
use serde_json::{Value, json};
use std::time::Duration;

const HR: &str = "2c9180897e7742b2017e781782f70500";

/// A user with this level who may see rows of these sources.
fn caller(client: &str, level: UserLevel, sources: &[&str]) -> Caller {
    Caller {
        client: ClientId::new(client),
        data_scope: DataScope::of_sources(sources.iter().copied()).unwrap(),
        ..build::user_with(Scope::All, level)
    }
}

async fn start(world: &World, caller: &Caller, kind: &str, arguments: Value) -> (u16, Value, String) {
    let bearer = world.bearer(caller);
    let body = json!({"reportType": kind, "arguments": arguments}).to_string();
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = world.ask("POST /v2024/reports/run", &headers, body).await;
    let cause = if answer.status == 200 { String::new() } else { answer.cause() };
    (answer.status.as_u16(), answer.json(), cause)
}

async fn world_with(callers: &[&Caller]) -> World {
    let world = World::new().await;
    for caller in callers {
        world.credential((*caller).clone(), true).await;
    }
    world
}

#[tokio::test]
async fn reports_on_sources_outside_of_the_scope_are_refused_in_words() {
    let directory = caller("of-directory", UserLevel::SourceAdmin, &[build::SOURCE]);
    let people = caller("of-people", UserLevel::OrgAdmin, &[HR]);
    let world = world_with(&[&directory, &people]).await;
    let accounts = |id: &str| json!({"application": id, "sourceName": "x"});
    let errors = |id: &str| json!({"authoritativeSource": id});
    let outside = |argument: &str, id: &str| {
        format!(
            "argument {argument:?} is {id:?}, which is not one of the sources whose rows the caller may see"
        )
    };
    for (who, kind, arguments, status, cause) in [
        (&directory, "ACCOUNTS", accounts(build::SOURCE), 200, String::new()),
        (&directory, "ACCOUNTS", accounts(HR), 403, outside("application", HR)),
        (&people, "ACCOUNTS", accounts(HR), 200, String::new()),
        (&people, "ACCOUNTS", accounts(build::SOURCE), 403, outside("application", build::SOURCE)),
        (&people, "IDENTITY_PROFILE_IDENTITY_ERROR", errors(HR), 200, String::new()),
        (&directory, "IDENTITY_PROFILE_IDENTITY_ERROR", errors(HR), 403, outside("authoritativeSource", HR)),
        // A source that is not there answers as one that is and may not be seen.
        (&directory, "ACCOUNTS", accounts("nowhere"), 403, outside("application", "nowhere")),
        (&directory, "IDENTITIES", json!({}), 200, String::new()),
    ] {
        let (found, _, text) = start(&world, who, kind, arguments.clone()).await;
        assert_eq!((found, text), (status, cause), "{kind} {arguments}");
    }
    // For our own operation, neither is there.
    let bearer = world.bearer(&directory);
    for unseen in [HR, "HR", "nowhere"] {
        let body = json!({"arguments": accounts(unseen)}).to_string();
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = world.ask("POST /muster/v1/reports/ACCOUNTS/run", &headers, body).await;
        let words = format!("argument \"application\": no source is named {unseen:?} or has that id");
        assert!(answer.status == 404 && answer.cause().starts_with(&words), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_source_administrator_without_sources_starts_nothing() {
    for level in [UserLevel::SourceAdmin, UserLevel::SourceSubadmin] {
        let nobody = caller("of-nothing", level, &[]);
        let everything = Caller { data_scope: DataScope::Everything, ..nobody.clone() };
        let world = world_with(&[&nobody]).await;
        for caller in [nobody, everything] {
            let (status, _, cause) = start(&world, &caller, "IDENTITIES", json!({})).await;
            assert_eq!(status, 403);
            assert!(cause.contains("its credential names none"), "{cause}");
        }
    }
}

/// Equal scopes share a live task; other scopes have a task and a definition of their own.
#[tokio::test]
async fn a_scope_is_part_of_what_makes_tasks_equal() {
    let one = caller("one", UserLevel::SourceAdmin, &[build::SOURCE]);
    let same = caller("same", UserLevel::OrgAdmin, &[build::SOURCE]);
    let other = caller("other", UserLevel::SourceAdmin, &[HR]);
    let both = caller("both", UserLevel::SourceAdmin, &[HR, build::SOURCE]);
    let world = world_with(&[&one, &same, &other, &both]).await;
    let mut ids = Vec::new();
    for caller in [&one, &same, &other, &both, &build::user()] {
        let (_, details, _) = start(&world, caller, "IDENTITIES", json!({})).await;
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        ids.push((id(&details["id"]), id(&details["attributes"]["taskDefinitionId"])));
    }
    assert_eq!(ids[0], ids[1]);
    for (at, (task, definition)) in ids.iter().enumerate().skip(1) {
        for (other_task, other_definition) in &ids[at + 1..] {
            assert_ne!(task, other_task);
            assert_ne!(definition, other_definition);
        }
    }
    // What is handed to whoever plans the rows.
    let claim = world.store.claim(&WorkerId::new("w"), world.clock.now(), Duration::from_secs(60)).await;
    let requester = claim.unwrap().unwrap().task.requester;
    assert_eq!(requester.data_scope, DataScope::of_sources([build::SOURCE]).unwrap());
    assert_eq!(requester.data_scope.to_string(), format!("sources {}", build::SOURCE));
}

/// A task is there for those who may see all of its rows.
#[tokio::test]
async fn tasks_with_rows_outside_of_the_scope_are_not_there() {
    let narrow = caller("narrow", UserLevel::OrgAdmin, &[build::SOURCE]);
    let wide = caller("wide", UserLevel::OrgAdmin, &[build::SOURCE, HR]);
    let world = world_with(&[&narrow, &wide]).await;
    let all = world.start().await;
    let (_, details, _) = start(&world, &wide, "IDENTITIES", json!({})).await;
    let of_both = details["id"].as_str().unwrap();
    let bearers = [&narrow, &wide, &build::user()].map(|caller| world.bearer(caller));
    for (id, seen) in [(all.as_str(), [false, false, true]), (of_both, [false, true, true])] {
        for (bearer, seen) in bearers.iter().zip(seen) {
            let headers = [("authorization", bearer.as_str())];
            let result = world.ask(&format!("GET /v3/reports/{id}/result"), &headers, "").await;
            assert_eq!(result.text() != "{}", seen);
            if !seen {
                let cancel = world.ask(&format!("POST /v3/reports/{id}/cancel"), &headers, "").await;
                assert_eq!(
                    (cancel.status.as_u16(), cancel.cause()),
                    (404, format!("there is no report {id:?}"))
                );
            }
        }
    }
    for (bearer, listed) in bearers.iter().zip([&[][..], &[of_both], &[of_both, &all]]) {
        let headers = [("authorization", bearer.as_str())];
        let list = world.ask("GET /muster/v1/results", &headers, "").await.json();
        let ids: Vec<_> =
            list.as_array().unwrap().iter().map(|result| result["id"].as_str().unwrap()).collect();
        assert_eq!(ids, listed);
        assert!(list.as_array().unwrap().iter().all(|result| result["status"].is_null()), "they run");
    }
    let headers = [("authorization", bearers[1].as_str())];
    assert_eq!(world.ask(&format!("POST /v3/reports/{of_both}/cancel"), &headers, "").await.status, 204);
    let body = ACCOUNTS.to_owned();
    assert_eq!(world.ask("POST /v3/reports/run", &headers, body).await.status, 200);
}
