//! The whole matrix of rights: every route × scopes × level × kind of credential × tenant, against a table
//! written from the published documents.

use crate::world::{ACCOUNTS, Answer, World, line_of};
use muster_http::{Access, RouteEntry, route_table};
use muster_reports::Caller;
use muster_reports::caller::{DataScope, Scope, UserIdentity, UserLevel};
use muster_reports::ids::{ClientId, TenantId};
use muster_reports::ports::Clock;
use muster_testkit::build;
use std::collections::BTreeSet;

/// Operation; scopes of which one is needed; levels of which a user needs one, or `any` but AUDITOR; whether applications
/// may.
const TABLE: &str = "
start   sp:scopes:all,sp:report:manage                ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN,AUDITOR yes
result  sp:scopes:all,sp:report:manage,sp:report:read any,AUDITOR yes
file    sp:scopes:all,sp:report:manage,sp:report:read any,AUDITOR yes
cancel  sp:scopes:all,sp:report:manage                any no
package sp:scopes:all,sp:report:manage,sp:report:read any,AUDITOR yes
compare sp:scopes:all,sp:report:manage,sp:report:read any,AUDITOR yes
key     sp:scopes:all,sp:report:manage,sp:report:read any,AUDITOR yes
cover   sp:scopes:all,sp:report:manage,sp:report:read any,AUDITOR yes
list    sp:scopes:all,sp:report:manage,sp:report:read any,AUDITOR yes
search  sp:scopes:all,sp:search:read                  ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN yes
document sp:scopes:all,sp:search:read                 ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN yes
count   sp:scopes:all,sp:search:read                  any yes
custom  sp:scopes:all,sp:report:manage                ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN,AUDITOR yes
tasks   sp:scopes:all,idn:task-management:read,idn:task-management:write ORG_ADMIN,HELPDESK,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN yes
one     sp:scopes:all,idn:task-management:read,idn:task-management:write ORG_ADMIN,HELPDESK,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN yes
schedules sp:scopes:all,sp:report:manage,sp:report:read any yes
schedule sp:scopes:all,sp:report:manage,sp:report:read any yes
plan    sp:scopes:all,sp:report:manage                ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN yes
change  sp:scopes:all,sp:report:manage                ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN yes
aggregate sp:scopes:all,sp:search:read                ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN yes
kept    sp:scopes:all,sp:saved-search:read            any no
keptone sp:scopes:all,sp:saved-search:read            any no
keep    sp:scopes:all,sp:saved-search:manage          any no
keepone sp:scopes:all,sp:saved-search:manage          any no
execute sp:scopes:all,sp:saved-search:manage          ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN no
agenda  sp:scopes:all,sp:scheduled-search:manage      any no
agendaone sp:scopes:all,sp:scheduled-search:manage    any no
appoint sp:scopes:all,sp:scheduled-search:manage      ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN no
appointone sp:scopes:all,sp:scheduled-search:manage   ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN no
history sp:scopes:all,idn:identity-history:read,idn:identity-history:manage ORG_ADMIN,HELPDESK,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN yes
people  sp:scopes:all,idn:identity-history:read,idn:identity-history:manage ORG_ADMIN,HELPDESK,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN yes
access  sp:scopes:all,idn:identity-history:read,idn:identity-history:manage ORG_ADMIN,HELPDESK,REPORT_ADMIN yes
invent  sp:scopes:all,sp:report:manage                ORG_ADMIN,REPORT_ADMIN no
forget  sp:scopes:all,sp:report:manage                ORG_ADMIN,REPORT_ADMIN no
text    sp:scopes:all,sp:report:manage,sp:report:read any,AUDITOR yes
lines   sp:scopes:all,sp:search:read                  ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN yes
explain sp:scopes:all,sp:search:read                  ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN yes
differ  sp:scopes:all,idn:identity-history:read,idn:identity-history:manage ORG_ADMIN,HELPDESK,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN yes
convene sp:scopes:all,sp:report:manage                ORG_ADMIN,CERT_ADMIN no
govern  sp:scopes:all,sp:report:manage                ORG_ADMIN,CERT_ADMIN no
reviews sp:scopes:all,sp:report:manage,sp:report:read any no
review  sp:scopes:all,sp:report:manage,sp:report:read any no
decide  sp:scopes:all,sp:report:manage                any no
pin     sp:scopes:all                                 ORG_ADMIN no
look    sp:scopes:all                                 ORG_ADMIN no
policies sp:scopes:all,idn:sod-policy:read,idn:sod-policy:manage ORG_ADMIN,SOD_POLICY_ADMIN no
policy  sp:scopes:all,idn:sod-policy:read,idn:sod-policy:manage ORG_ADMIN,SOD_POLICY_ADMIN no
forbid  sp:scopes:all,idn:sod-policy:manage           ORG_ADMIN,SOD_POLICY_ADMIN no
forbidone sp:scopes:all,idn:sod-policy:manage         ORG_ADMIN,SOD_POLICY_ADMIN no
violateall sp:scopes:all,idn:sod-violation:manage     ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN,SOD_POLICY_ADMIN yes
violateone sp:scopes:all,idn:sod-violation:manage     ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN,SOD_POLICY_ADMIN yes
violations sp:scopes:all,idn:sod-violation:read,idn:sod-violation:manage ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN,SOD_POLICY_ADMIN yes
caller  sp:scopes:all,sp:report:manage,sp:report:read,sp:search:read,idn:task-management:write,idn:task-management:read,sp:saved-search:manage,sp:saved-search:read,sp:scheduled-search:manage,idn:sod-policy:manage,idn:sod-policy:read,idn:sod-violation:manage,idn:sod-violation:read,idn:identity-history:manage,idn:identity-history:read any,AUDITOR yes
clear   sp:scopes:all,idn:task-management:write       ORG_ADMIN,CERT_ADMIN,REPORT_ADMIN,ROLE_ADMIN,ROLE_SUBADMIN,SOURCE_ADMIN,SOURCE_SUBADMIN no
";

/// What follows the prefix of a published collection in a route.
fn below<'r>(route: &'r RouteEntry, collection: &str) -> Option<&'r str> {
    let versions = ["v3", "v2024", "v2025", "v2026"].map(|version| format!("/{version}/{collection}"));
    let last = format!("/{collection}/v1");
    versions.iter().chain([&last]).find_map(|prefix| route.path.strip_prefix(prefix.as_str()))
}

/// Which row of the table a route is; a route that is not known here fails the test.
fn operation(route: &RouteEntry) -> &'static str {
    let published = ["/v3/reports", "/v2024/reports", "/v2025/reports", "/v2026/reports", "/reports/v1"];
    let searches = ["/v3/search", "/v2024/search", "/v2025/search", "/v2026/search", "/search/v1"];
    match (route.method, searches.iter().find_map(|prefix| route.path.strip_prefix(prefix))) {
        ("POST", Some("")) => return "search",
        ("POST", Some("/count")) => return "count",
        ("POST", Some("/aggregate")) => return "aggregate",
        ("GET", Some("/{index}/{id}")) => return "document",
        _ => {}
    }
    let rest = published.iter().find_map(|prefix| route.path.strip_prefix(prefix));
    if let Some(rest) = below(route, "saved-searches") {
        return match (route.method, rest) {
            ("GET", "") => "kept",
            ("GET", "/{id}") => "keptone",
            ("POST", "") => "keep",
            ("PUT" | "DELETE", "/{id}") => "keepone",
            ("POST", "/{id}/execute") => "execute",
            other => panic!("{other:?} has no row in the table"),
        };
    }
    if let Some(rest) = below(route, "scheduled-searches") {
        return match (route.method, rest) {
            ("GET", "") => "agenda",
            ("GET", "/{id}") | ("POST", "/{id}/unsubscribe") => "agendaone",
            ("POST", "") => "appoint",
            ("PUT" | "PATCH" | "DELETE", "/{id}") => "appointone",
            other => panic!("{other:?} has no row in the table"),
        };
    }
    if let Some(rest) = below(route, "sod-policies") {
        return match (route.method, rest) {
            ("GET", "") => "policies",
            ("GET", "/{id}") => "policy",
            ("POST", "") => "forbid",
            ("PUT" | "PATCH" | "DELETE", "/{id}") => "forbidone",
            ("GET", "/{id}/schedule") => "policy",
            ("PUT" | "DELETE", "/{id}/schedule") => "forbidone",
            ("POST", "/{id}/violation-report/run" | "/{id}/evaluate") => "violateone",
            ("GET", "/{id}/violation-report" | "/sod-violation-report-status/{reportResultId}") => {
                "violations"
            }
            other => panic!("{other:?} has no row in the table"),
        };
    }
    if let Some(rest) = below(route, "sod-violations") {
        return match (route.method, rest) {
            ("POST", "/predict" | "/check") => "violations",
            other => panic!("{other:?} has no row in the table"),
        };
    }
    if let Some(rest) = below(route, "sod-violation-report") {
        return match (route.method, rest) {
            ("POST", "/run") => "violateall",
            ("GET", _) => "violations",
            other => panic!("{other:?} has no row in the table"),
        };
    }
    let lists = [
        "/beta/task-status",
        "/v3/task-status",
        "/v2024/task-status",
        "/v2025/task-status",
        "/v2026/task-status",
        "/task-status/v1",
    ];
    if let Some(rest) = lists.iter().find_map(|prefix| route.path.strip_prefix(prefix)) {
        return match (route.method, rest) {
            ("GET", "" | "/pending-tasks") => "tasks",
            ("GET", "/{id}") => "one",
            ("PATCH", "/{id}") => "clear",
            other => panic!("{other:?} has no row in the table"),
        };
    }
    let histories = [
        "/v2024/historical-identities",
        "/v2025/historical-identities",
        "/v2026/historical-identities",
        "/historical-identities/v1",
    ];
    if let Some(rest) = histories.iter().find_map(|prefix| route.path.strip_prefix(prefix)) {
        return match (route.method, rest) {
            ("GET", "") => "people",
            ("GET", "/{id}/access-items") => "access",
            ("GET", _) => "history",
            other => panic!("{other:?} has no row in the table"),
        };
    }
    match (route.method, rest, route.path.as_str()) {
        ("POST", Some("/run"), _) => "start",
        ("GET", Some("/{taskResultId}/result"), _) => "result",
        ("GET", Some("/{taskResultId}"), _) => "file",
        ("POST", Some("/{id}/cancel"), _) => "cancel",
        ("GET", Some("/{taskResultId}/cover"), _) => "cover",
        ("GET", None, "/muster/v1/reports/{id}/files/{format}") => "file",
        ("GET", None, "/muster/v1/reports/{id}/evidence") => "package",
        ("GET", None, "/muster/v1/reports/{id}/compare/{other}") => "compare",
        ("GET", None, "/muster/v1/evidence-key") => "key",
        ("GET", None, "/muster/v1/caller") => "caller",
        ("GET", None, "/muster/v1/links/explanation") => "explain",
        ("GET", None, "/muster/v1/sources/{id}/refused-records" | "/muster/v1/search-fields") => "lines",
        ("GET", None, "/muster/v1/snapshots/{id}/compare/{other}") => "differ",
        ("PUT" | "DELETE", None, "/muster/v1/snapshots/{id}/pin") => "pin",
        ("GET", None, "/muster/v1/clients" | "/muster/v1/audit-events" | "/muster/v1/installation") => "look",
        ("GET", None, "/muster/v1/task-counts") => "tasks",
        ("GET", None, "/muster/v1/reports") => "list",
        ("GET", None, "/muster/v1/reports/{id}/result") => "cover",
        ("GET", None, "/muster/v1/results" | "/muster/v1/sources" | "/muster/v1/snapshots") => "list",
        ("POST", None, "/muster/v1/reports/{id}/run") => "custom",
        ("GET", None, "/muster/v1/report-definitions") => "list",
        ("GET", None, "/muster/v1/report-definitions/{id}") => "text",
        ("POST", None, "/muster/v1/report-definitions") => "invent",
        ("DELETE", None, "/muster/v1/report-definitions/{id}") => "forget",
        ("GET", None, "/muster/v1/sod-policies/{id}/exceptions") => "policy",
        ("PUT", None, "/muster/v1/sod-policies/{id}/exceptions") => "forbidone",
        ("GET", None, "/muster/v1/schedules") => "schedules",
        ("POST", None, "/muster/v1/schedules") => "plan",
        ("GET", None, "/muster/v1/schedules/{id}") => "schedule",
        ("PATCH" | "DELETE", None, "/muster/v1/schedules/{id}") => "change",
        ("POST", None, "/muster/v1/schedules/{id}/run") => "change",
        ("POST", None, "/muster/v1/reviews") => "convene",
        ("GET", None, "/muster/v1/reviews") => "reviews",
        ("GET", None, "/muster/v1/reviews/{id}" | "/muster/v1/reviews/{id}/items") => "review",
        ("POST", None, "/muster/v1/reviews/{id}/decisions") => "decide",
        ("POST", None, "/muster/v1/reviews/{id}/close" | "/muster/v1/reviews/{id}/hand-over") => "govern",
        ("GET" | "POST", None, "/muster/v1/reviews/{id}/sheets") => "govern",
        // The rights of notifications are those of schedules.
        ("GET", None, "/muster/v1/notifications") => "schedules",
        ("POST", None, "/muster/v1/notifications/{id}/retry") => "change",
        other => panic!("{other:?} has no row in the table"),
    }
}

/// The rows of the list of tasks and of searches are those of the published documents.
#[test]
fn levels_are_the_published_ones() {
    for (file, path, method, operation) in [
        ("task-status-v1.yaml", "/task-status/v1", "get", "tasks"),
        ("task-status-v1.yaml", "/task-status/v1/{id}", "get", "one"),
        ("task-status-v1.yaml", "/task-status/v1/{id}", "patch", "clear"),
        ("search-v1.yaml", "/search/v1", "post", "search"),
        ("search-v1.yaml", "/search/v1/{index}/{id}", "get", "document"),
        ("sod-policies-v1.yaml", "/sod-policies/v1", "get", "policies"),
        ("sod-policies-v1.yaml", "/sod-policies/v1", "post", "forbid "),
        ("sod-policies-v1.yaml", "/sod-policies/v1/{id}", "get", "policy "),
        ("sod-policies-v1.yaml", "/sod-policies/v1/{id}", "put", "forbidone"),
        ("sod-policies-v1.yaml", "/sod-policies/v1/{id}", "patch", "forbidone"),
        ("sod-policies-v1.yaml", "/sod-policies/v1/{id}", "delete", "forbidone"),
    ] {
        let text = std::fs::read_to_string(format!("../../tests/published/{file}")).unwrap();
        let published: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let levels = published["paths"][path][method]["x-sailpoint-userLevels"].as_array().unwrap();
        let levels: BTreeSet<_> = levels.iter().map(|level| level.as_str().unwrap()).collect();
        let row = TABLE.lines().find(|row| row.starts_with(operation)).unwrap();
        let own: BTreeSet<_> = row.split_whitespace().nth(2).unwrap().split(',').collect();
        assert_eq!(own, levels, "{method} {path}");
    }
}

/// Of the history of identities, the published document has levels of one operation only. The others are for the same
/// callers as the list of tasks.
#[test]
fn the_levels_of_the_list_of_access_items_are_the_published_ones() {
    let text = std::fs::read_to_string("../../tests/published/identity-history-v1.yaml").unwrap();
    let published: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    for (path, item) in published["paths"].as_object().unwrap() {
        let levels = item["get"]["x-sailpoint-userLevels"].as_array();
        assert_eq!(levels.is_some(), path.ends_with("{id}/access-items"), "{path}");
        let Some(levels) = levels else { continue };
        let levels: Vec<_> = levels.iter().map(|level| level.as_str().unwrap()).collect();
        let row = TABLE.lines().find(|row| row.starts_with("access ")).unwrap();
        assert_eq!(row.split_whitespace().nth(2), Some(&*levels.join(",")), "{path}");
    }
}

fn is_allowed(operation: &str, scopes: &[Scope], level: Option<Option<UserLevel>>) -> bool {
    let row = TABLE.lines().find(|row| row.starts_with(operation)).unwrap();
    let [_, needed, levels, applications] = row.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("four columns: {row}")
    };
    let scoped = scopes.iter().any(|scope| needed.split(',').any(|name| name == scope.as_str()));
    let fits = match level {
        None => applications == "yes",
        Some(None) => levels.split(',').any(|name| name == "any"),
        Some(Some(level)) => levels
            .split(',')
            .any(|name| name == level.as_str() || (name == "any" && level != UserLevel::Auditor)),
    };
    scoped && fits
}

fn of_sources(level: Option<Option<UserLevel>>) -> bool {
    matches!(level, Some(Some(UserLevel::SourceAdmin | UserLevel::SourceSubadmin)))
}

/// A caller: `level` is `None` for an application, `Some(None)` for a user without a level.
fn caller(tenant: &str, scopes: &[Scope], level: Option<Option<UserLevel>>) -> Caller {
    Caller {
        tenant: TenantId::new(tenant),
        client: ClientId::new(format!("client-of-{tenant}")),
        user: level.map(|level| UserIdentity {
            id: "i".into(),
            name: "n".into(),
            audit: match level {
                // Everything that the world of this test has.
                Some(UserLevel::Auditor) => {
                    let (from, to) = (build::start_of_time(), build::start_of_time());
                    build::auditor(from, to).user.unwrap().audit
                }
                _ => None,
            },
            levels: level.into_iter().collect(),
        }),
        scopes: scopes.to_vec(),
        data_scope: match of_sources(level) {
            true => DataScope::of_sources([build::SOURCE]).unwrap(),
            false => DataScope::Everything,
        },
        trace: None,
    }
}

/// A world in which nobody asks too often.
async fn unhurried() -> World {
    World::with(|settings| {
        settings.rate_limit.requests = usize::MAX;
        settings.tenant_rate_limit.requests = usize::MAX;
    })
    .await
}

/// A world of two tenants, each with a snapshot and a client, and a finished report of `acme` on one source.
async fn world() -> (World, String) {
    let world = unhurried().await;
    let manifest = build::manifest("snapshot-1", world.clock.now());
    world.store.put_snapshot(&TenantId::new("umbrella"), &manifest);
    for tenant in ["acme", "umbrella"] {
        world.credential(caller(tenant, &[], None), true).await;
    }
    let starter = caller("acme", &[Scope::All], Some(Some(UserLevel::SourceAdmin)));
    let bearer = world.bearer(&starter);
    let started = world.ask("POST /v3/reports/run", &[("authorization", &bearer)], ACCOUNTS).await;
    world.finish(b"x", Vec::new()).await;
    (world, started.json()["id"].as_str().unwrap().to_owned())
}

async fn ask(world: &World, route: &RouteEntry, id: &str, caller: &Caller) -> Answer {
    let operation = operation(route);
    let id = if operation == "custom" { "leavers" } else { id };
    let body = match operation {
        "start" => ACCOUNTS,
        "custom" => r#"{"arguments":{"since":"2026"}}"#,
        "search" | "count" => r#"{"query":{"query":"*"}}"#,
        "aggregate" => r#"{"aggregationsDsl":{"A":{"terms":{"field":"name"}}}}"#,
        // Without a query, without times and without a name: nothing is made.
        "keep" | "appoint" | "forbid" => "{}",
        "forbidone" if route.method == "PATCH" || route.path.ends_with("/exceptions") => "[]",
        "forbidone" if route.method == "PUT" && route.path.ends_with("/schedule") => {
            r#"{"schedule":{"type":"DAILY","hours":{"type":"LIST","values":["9"]}}}"#
        }
        "forbidone" if route.method == "PUT" => r#"{"name":"x","policyQuery":"*"}"#,
        "keepone" => r#"{"indices":["roles"],"query":"*"}"#,
        "execute" => r#"{"scheduleId":"x"}"#,
        "agendaone" if route.method == "POST" => r#"{"type":"IDENTITY","id":"x"}"#,
        "appointone" if route.method == "PATCH" => "[]",
        "appointone" if route.method == "PUT" => {
            r#"{"savedSearchId":"x","schedule":{"type":"DAILY","hours":{"type":"LIST","values":["9"]}},"recipients":[{"type":"IDENTITY","id":"x"}]}"#
        }
        // A blank name: nothing is made.
        "plan" => r#"{"name":" ","reportId":"IDENTITIES","schedule":{"cron":"0 6 * * *"}}"#,
        "change" => r#"{"paused":true}"#,
        // A blank name: nothing is made.
        "convene" => r#"{"name":" ","reviewers":"MANAGER"}"#,
        "govern" if route.path.ends_with("/hand-over") => r#"{"to":"x","reason":"y"}"#,
        "decide" => r#"{"decisions":[{"item":1,"decision":"KEEP"}]}"#,
        "violations" if route.method == "POST" => {
            r#"{"identityId":"x","accessRefs":[{"type":"ENTITLEMENT","id":"x"}]}"#
        }
        "pin" => r#"{"reason":"year end"}"#,
        "clear" => r#"[{"op":"replace","path":"/completionStatus","value":"TERMINATED"}]"#,
        _ => "",
    };
    let bearer = world.bearer(caller);
    let query = if operation == "file" { "?fileFormat=csv" } else { "" };
    let line = format!("{}{query}", line_of(route, id));
    world.ask(&line, &[("authorization", bearer.as_str()), ("content-type", "application/json")], body).await
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says_and_nothing_else() {
    let (world, id) = world().await;
    let levels: Vec<_> = [None, Some(None)]
        .into_iter()
        .chain(UserLevel::ALL.into_iter().map(|level| Some(Some(level))))
        .collect();
    let scopes: [&[Scope]; 17] = [
        &[],
        &[Scope::SearchRead],
        &[Scope::ReportRead],
        &[Scope::ReportManage],
        &[Scope::All],
        &[Scope::ReportRead, Scope::ReportManage],
        &[Scope::TaskManagementRead],
        &[Scope::TaskManagementWrite],
        &[Scope::SavedSearchRead],
        &[Scope::SavedSearchManage],
        &[Scope::ScheduledSearchManage],
        &[Scope::SodPolicyRead],
        &[Scope::SodPolicyManage],
        &[Scope::SodViolationRead],
        &[Scope::SodViolationManage],
        &[Scope::IdentityHistoryRead],
        &[Scope::IdentityHistoryManage],
    ];
    let (mut asked, mut allowed) = (0, 0);
    for route in route_table() {
        let Access::Needs(_) = route.access else { continue };
        let operation = operation(&route);
        for tenant in ["acme", "umbrella"] {
            for scopes in scopes {
                for level in &levels {
                    let may = is_allowed(operation, scopes, *level);
                    // Both tenants have this source.
                    let id = if operation == "lines" { build::SOURCE } else { &id };
                    let answer = ask(&world, &route, id, &caller(tenant, scopes, *level)).await;
                    let ours = tenant == "acme";
                    let expected = match operation {
                        _ if !may => 403,
                        // Who sees rows of some sources only may not; others ask for what is not there.
                        "differ" if of_sources(*level) => 403,
                        // Without a source and an account.
                        "explain" => 400,
                        "differ" | "pin" => 404,
                        // The report has ended, so it can be cancelled no more; who may not is told before that.
                        "cancel" | "clear" => {
                            if ours {
                                400
                            } else {
                                404
                            }
                        }
                        "count" => 204,
                        // No policy is kept.
                        "plan" | "keep" | "appoint" | "invent" | "convene" | "forbid" | "violateall" => 400,
                        "policy" | "forbidone" | "violateone" | "violations" => 404,
                        "document" | "schedule" | "change" | "keptone" | "keepone" | "execute"
                        | "agendaone" | "appointone" | "history" | "access" | "text" | "forget"
                        | "review" | "decide" | "govern" => 404,
                        "file" | "package" | "compare" | "cover" | "one" => {
                            if ours {
                                200
                            } else {
                                404
                            }
                        }
                        _ => 200,
                    };
                    let what = format!("{} {} {tenant} {scopes:?} {level:?}", route.method, route.path);
                    assert_eq!(answer.status, expected, "{what}: {}", answer.text());
                    if !may {
                        assert_eq!(answer.json()["detailCode"], "403 Forbidden", "{what}");
                        assert!(!answer.cause().is_empty() && !answer.text().contains(id), "{what}");
                    } else if operation == "result" {
                        assert_eq!(answer.text() == "{}", !ours, "{what}");
                    }
                    asked += 1;
                    allowed += usize::from(may);
                }
            }
        }
    }
    // 5 prefixes × 5 operations on reports, 5 × 4 on searches, 5 × 6 on saved and 5 × 7 on scheduled searches, 5 × 13 on
    // policies, 5 × 4 on reports of their violations and 5 × 2 on predictions, 6 × 4 on tasks, 4 × 11 on the history of
    // identities, and 44 of our own; 13 levels or kinds, 17 sets of scopes, 2 tenants.
    assert_eq!(asked, 317 * 13 * 17 * 2);
    // By hand, callers × sets of scopes × tenants for each route. An application is one of the callers, if it may.
    let expected = [
        // Start, and making and changing a schedule or a notification.
        9 * 3 * 2 * 6,
        8 * 3 * 2 * 5,
        // Cancel.
        11 * 3 * 2 * 5,
        // Search, document, aggregate; refused records and the fields of searches.
        8 * 2 * 2 * 17,
        // Count.
        12 * 2 * 2 * 5,
        // The others on reports, sources and snapshots, and reading definitions.
        13 * 4 * 2 * (22 + 2 + 2),
        // Reading schedules and notifications.
        12 * 4 * 2 * 3,
        // Adding and removing a definition.
        2 * 3 * 2 * 2,
        // Reading tasks, and clearing one.
        9 * 3 * 2 * 19,
        7 * 2 * 2 * 6,
        // Saved searches: reading, keeping, executing.
        11 * 2 * 2 * 10,
        11 * 2 * 2 * 15,
        7 * 2 * 2 * 5,
        // Scheduled searches: reading and unsubscribing, making and changing.
        11 * 2 * 2 * 15,
        7 * 2 * 2 * 20,
        // Policies and their schedules: reading, keeping. Reports of their violations: reading and predicting, running.
        2 * 3 * 2 * (11 + 5),
        2 * 2 * 2 * (21 + 10),
        9 * 3 * 2 * (25 + 10),
        9 * 2 * 2 * 15,
        // The history of identities, and the list of access items.
        9 * 3 * 2 * 40,
        4 * 3 * 2 * 4,
        // Why an account is linked, and what differs between snapshots.
        8 * 2 * 2,
        9 * 3 * 2,
        // Creating, exporting, importing, handing over and closing reviews; reading them; deciding.
        2 * 3 * 2 * 5,
        11 * 4 * 2 * 3,
        11 * 3 * 2,
        // Pins, clients, the audit trail, the installation.
        2 * 5,
        // Who one is.
        13 * 16 * 2,
    ];
    assert_eq!(allowed, expected.iter().sum::<usize>());
}

/// What an answer shows, less what differs between any two answers.
fn shown(answer: &Answer) -> (u16, Vec<(String, Vec<u8>)>, String) {
    let mut body = answer.text();
    if let Some(at) = body.find(r#""trackingId":""#) {
        let digits = at + r#""trackingId":""#.len();
        body.replace_range(digits..digits + 32, "");
    }
    let headers =
        answer.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    (answer.status.as_u16(), headers, body)
}

/// In one world the id is of another tenant or of rows that the caller may not see, in the other it is of nothing:
/// no answer tells in which world it was given.
#[tokio::test]
async fn what_one_may_not_see_answers_as_what_is_not_there() {
    let other_sources = Caller {
        data_scope: DataScope::of_sources(["2c9180897e7742b2017e781782f70500"]).unwrap(),
        ..caller("acme", &[Scope::All], Some(Some(UserLevel::OrgAdmin)))
    };
    let no_sources = Caller {
        data_scope: DataScope::Everything,
        ..caller("acme", &[Scope::All], Some(Some(UserLevel::SourceAdmin)))
    };
    let strangers =
        [caller("umbrella", &[Scope::All], Some(Some(UserLevel::OrgAdmin))), other_sources, no_sources];
    for live in [true, false] {
        let (full, finished) = world().await;
        let empty = unhurried().await;
        let bearer = full.bearer(&caller("acme", &[Scope::All], Some(Some(UserLevel::OrgAdmin))));
        let started = full.ask("POST /v3/reports/run", &[("authorization", &bearer)], ACCOUNTS).await.json();
        let task = if live { started["id"].as_str().unwrap() } else { finished.as_str() };
        let definition = started["attributes"]["taskDefinitionId"].as_str().unwrap();
        for tenant in ["acme", "umbrella"] {
            empty.credential(caller(tenant, &[], None), true).await;
        }
        let mut compared = 0;
        for route in route_table().iter().filter(|route| route.path.contains("{")) {
            if operation(route) == "custom" {
                continue;
            }
            for (id, caller) in strangers.iter().flat_map(|caller| [(task, caller), (definition, caller)]) {
                let hidden = ask(&full, route, id, caller).await;
                let absent = ask(&empty, route, id, caller).await;
                assert_eq!(
                    shown(&hidden),
                    shown(&absent),
                    "{} {} {}",
                    route.method,
                    route.path,
                    caller.tenant
                );
                compared += 1;
            }
        }
        // 5 prefixes × 5 operations on reports and searches, 4 on saved and 5 on scheduled searches, 11 on policies and 2 on
        // reports of violations, 6 × 2 on tasks, 4 × 10 on the history of identities, and 24 of our own.
        assert_eq!(compared, (5 * (5 + 4 + 5 + 11 + 2) + 6 * 2 + 4 * 10 + 24) * 3 * 2);
    }
}
