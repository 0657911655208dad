//! Exchanges with another service of this contract, recorded: what the SDK asks must be what was asked then, and it must read
//! what was answered. tests/published/README.md says which service that was.

use super::told::{Answer, Asked, Service, bytes, status};
use muster_client::wire::{
    AccessItemType, AggregationType, FileFormat, IdentitiesArguments, JsonPatchOperation,
    ReportResultReference, ReportResultStatus, ResultStatus, Search, SearchIndex, SodPolicy, SodPolicyType,
    SodState,
};
use muster_client::{
    Client, DownloadOptions, Error, IdentityFilter, Paging, SnapshotPair, TaskFilter, search_for,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const REPORT: &str = "a248c16fe22222b2bd49615481311111";
const IDENTITY: &str = "8c190e6787aa4ed9a90bd9d5344523fb";

/// A request and its answer.
struct Exchange {
    line: String,
    headers: Vec<String>,
    body: Value,
    answer: Answer,
}

impl Exchange {
    fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/published/exchanges");
        let text = std::fs::read_to_string(folder.join(format!("{name}.http"))).unwrap();
        let (request, answer) = text.split_once("\nHTTP ").unwrap();
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        let mut head = head.lines().map(str::to_owned);
        let (answer_head, answer_body) = answer.split_once("\n\n").unwrap_or((answer.trim_end(), ""));
        let mut lines = answer_head.lines();
        let code = lines.next().unwrap().parse().unwrap();
        let mut answer = match answer_body {
            "" => status(code),
            body => bytes(body.trim_end()).with_status(code),
        };
        for header in lines {
            answer = match header.split_once(": ").unwrap() {
                ("content-type", value) => answer.with("content-type", value),
                ("x-total-count", value) => answer.with("x-total-count", value),
                ("content-disposition", value) => answer.with("content-disposition", value),
                (name, _) => panic!("{name}.http has the header {name}"),
            };
        }
        Self {
            line: head.next().unwrap(),
            headers: head.collect(),
            body: serde_json::from_str(body.trim()).unwrap_or_default(),
            answer,
        }
    }

    /// Paths are equal, and queries whatever their order.
    fn is_asked(&self, asked: &Asked) {
        let parts = |line: &str| {
            let (path, query) = line.split_once('?').unwrap_or((line, ""));
            let query: BTreeSet<_> = query.split('&').map(str::to_owned).collect();
            (path.to_owned(), query)
        };
        assert_eq!(parts(&asked.line), parts(&self.line));
        for header in &self.headers {
            let (name, value) = header.split_once(": ").unwrap();
            assert_eq!(asked.header(name), Some(value), "{}", self.line);
        }
        if !self.body.is_null() {
            assert_eq!(asked.body, self.body, "{}", self.line);
        }
        assert_eq!(asked.header("authorization"), Some("Bearer granted"));
    }
}

/// A service that answers as the other one did.
async fn recorded(name: &str) -> (Service, Client) {
    let exchange = Exchange::read(name);
    let service = Service::start(move |asked, _| {
        exchange.is_asked(asked);
        exchange.answer.clone()
    })
    .await;
    let client = service.client();
    (service, client)
}

fn page() -> Paging {
    Paging::first(250)
}

#[tokio::test]
async fn reports_of_another_service() {
    let (_service, client) = recorded("run").await;
    let arguments = IdentitiesArguments { correlated_only: Some(true) };
    let running = client.reports().run(&arguments).start().await.unwrap();
    assert_eq!(running.id(), REPORT);
    assert_eq!(running.task().progress.as_deref(), Some("Initializing..."));

    let (_service, client) = recorded("result").await;
    let result = client.reports().get_report_result(REPORT, false).await.unwrap();
    assert_eq!((result.status, result.rows), (Some(ResultStatus::Success), Some(193)));
    assert_eq!(result.available_formats, Some(vec![FileFormat::Csv]));
    // It is no time of any calendar, and is kept as it came.
    assert_eq!(result.created.as_deref(), Some("2023-09-07T42:14:05.122Z"));

    // No digest and no entity tag: the file is read, and not called verified.
    let (_service, client) = recorded("file").await;
    let mut file = Vec::new();
    let options = DownloadOptions::default();
    let download = client.reports().get_report(REPORT, &FileFormat::Csv, &options, &mut file).await.unwrap();
    assert_eq!((file.as_slice(), download.verified, download.etag), (b"string".as_slice(), false, None));

    let (_service, client) = recorded("cancel").await;
    client.reports().cancel_report(REPORT).await.unwrap();
}

#[tokio::test]
async fn tasks_of_another_service() {
    const TASK: &str = "00eebcf881994e419d72e757fd30dc0e";
    let (_service, client) = recorded("tasks").await;
    let live = TaskFilter { live: true, ..TaskFilter::default() };
    let tasks = client.tasks().list(&live, page()).await.unwrap();
    assert_eq!((tasks.items.len(), tasks.items[0].id.as_str()), (1, "id12345"));
    let (_service, client) = recorded("task").await;
    assert_eq!(client.tasks().get(TASK).await.unwrap().unique_name, "Big Task");
    let (_service, client) = recorded("task-terminated").await;
    assert_eq!(client.tasks().terminate(TASK).await.unwrap().id, "id12345");
}

#[tokio::test]
async fn searches_of_another_service() {
    let search = || search_for([SearchIndex::Identities], "name:a*");
    let (_service, client) = recorded("search").await;
    let found = client.search().search(&search(), page()).await.unwrap();
    assert_eq!(found.items[0].0["id"], "13b856dd9a264206954b63ecbb57a853");
    let (_service, client) = recorded("count").await;
    assert_eq!(client.search().count(&search()).await.unwrap(), 5);
    let (_service, client) = recorded("aggregate").await;
    let metric = json!({"metric": {"name": "how many", "type": "COUNT", "field": "@access.name"}});
    let aggregated = Search {
        aggregation_type: Some(AggregationType::Sailpoint),
        aggregations: Some(serde_json::from_value(metric).unwrap()),
        ..search()
    };
    let answer = client.search().aggregate(&aggregated, Paging::first(1)).await.unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    assert_eq!(answer["aggregations"]["Identity Locations"]["buckets"][0]["doc_count"], 109);
    let (_service, client) = recorded("document").await;
    let document = client.search().get(&SearchIndex::Identities, "2c91808568c529c60168cca6f90c1313").await;
    assert_eq!(document.unwrap().0["name"], "Cloud Eng");

    let (_service, client) = recorded("scheduled-searches").await;
    assert_eq!(client.scheduled_searches().list(page()).await.unwrap().items.len(), 1);
}

/// A policy as the other service has it, with members that ours leaves alone.
#[tokio::test]
async fn policies_of_another_service() {
    const POLICY: &str = "ef38f94347e94562b5bb8424a56397d8";
    let (_service, client) = recorded("policies").await;
    let policies = client.sod_policies().list(None, page()).await.unwrap();
    let lists = policies.items[0].conflicting_access_criteria.as_ref().unwrap();
    assert!(!lists.left_criteria.as_ref().unwrap().criteria_list.is_empty());
    let (_service, client) = recorded("policy").await;
    let policy = client.sod_policies().get(POLICY).await.unwrap();
    assert_eq!(
        (policy.name.as_deref(), policy.state),
        (Some("Conflicting-Policy-Name"), Some(SodState::Enforced))
    );
    let (_service, client) = recorded("policy-kept").await;
    let new = SodPolicy {
        name: Some("Pay and create vendors".into()),
        kind: Some(SodPolicyType::General),
        policy_query: Some("@access(name:\"SOX training\")".into()),
        ..SodPolicy::default()
    };
    assert!(client.sod_policies().create(&new).await.unwrap().id.is_some());
    let (_service, client) = recorded("policy-changed").await;
    let patch = json!([{"op": "replace", "path": "/level", "value": "LOW"}]);
    let patch: Vec<JsonPatchOperation> = serde_json::from_value(patch).unwrap();
    let changed = client.sod_policies().update(POLICY, &patch).await.unwrap();
    assert_eq!(changed.description.as_deref(), Some("Modified description"));
    let (_service, client) = recorded("policy-removed").await;
    client.sod_policies().delete(POLICY).await.unwrap();
}

#[tokio::test]
async fn violations_of_another_service() {
    const POLICY: &str = "ef38f94347e94562b5bb8424a56397d8";
    const ONE: &str = "2e8d8180-24bc-4d21-91c6-7affdb473b0d";
    const SEVERAL: &str = "37b3b32a-f394-46f8-acad-b5223969fa68";
    let is = |report: ReportResultReference, id: &str, status| {
        assert_eq!((report.id.as_deref(), report.status), (Some(id), Some(status)));
    };
    let (_service, client) = recorded("policy-run").await;
    is(client.sod_policies().run(POLICY).await.unwrap(), ONE, ReportResultStatus::Pending);
    let (_service, client) = recorded("policy-evaluated").await;
    is(client.sod_policies().evaluate(POLICY).await.unwrap(), SEVERAL, ReportResultStatus::Pending);
    let (_service, client) = recorded("policy-report").await;
    is(client.sod_policies().last_report(POLICY).await.unwrap(), ONE, ReportResultStatus::Success);
    let (_service, client) = recorded("policies-run").await;
    let started = client.sod_policies().run_all(&[POLICY.to_owned()]).await.unwrap();
    is(started, SEVERAL, ReportResultStatus::Pending);
    let (_service, client) = recorded("policies-report").await;
    is(client.sod_policies().last_report_of_all().await.unwrap(), SEVERAL, ReportResultStatus::Success);
    let (_service, client) = recorded("violation-report").await;
    is(client.sod_policies().report(POLICY).await.unwrap(), ONE, ReportResultStatus::Success);
    let (_service, client) = recorded("violations").await;
    let mut archive = Vec::new();
    client.sod_policies().download(POLICY, None, &mut archive).await.unwrap();
    assert_eq!(archive, b"string");
}

#[tokio::test]
async fn history_of_another_service() {
    let (_service, client) = recorded("identities").await;
    let listed = client.identity_history().list(&IdentityFilter::default(), page()).await.unwrap();
    assert_eq!(listed.items[0].id.as_deref(), Some("bc693f07e7b645539626c25954c58554"));
    let (_service, client) = recorded("identity").await;
    let identity = client.identity_history().get(IDENTITY).await.unwrap();
    assert_eq!(identity.id.as_deref(), Some("bc693f07e7b645539626c25954c58554"));
    let (_service, client) = recorded("snapshots").await;
    let snapshots = client.identity_history().snapshots(IDENTITY, None, None, page()).await.unwrap();
    assert_eq!(snapshots.items.len(), 1);
    let (_service, client) = recorded("access-items").await;
    let items =
        client.identity_history().access_items(IDENTITY, &AccessItemType::Account, page()).await.unwrap();
    assert!(!items.items.is_empty());
    let (_service, client) = recorded("start-date").await;
    assert_eq!(client.identity_history().start_date(IDENTITY).await.unwrap(), "2017-03-01T13:00:00.000Z");
    let (_service, client) = recorded("compare").await;
    let pair = SnapshotPair {
        first: Some("2007-03-01T13:00:00Z".into()),
        second: Some("2008-03-01T13:00:00Z".into()),
    };
    assert_eq!(client.identity_history().compare(IDENTITY, &pair, &[], page()).await.unwrap().items.len(), 1);
}

/// A 401, a 429 and a 500 are repeated as far as that is safe; what is told in the end is what the service said.
#[tokio::test]
async fn refusals_of_another_service() {
    for (name, completed, code, said) in [
        ("unauthorized", true, 401, "JWT validation failed: JWT is expired"),
        ("forbidden", true, 403, "The server understood the request but refuses to authorize it."),
        ("rate-limited", true, 429, "Rate Limit Exceeded"),
        ("fault", false, 500, "An internal fault occurred."),
    ] {
        let (_service, client) = recorded(name).await;
        let error = client.reports().get_report_result(REPORT, completed).await.unwrap_err();
        let refusal = error.refusal().unwrap_or_else(|| panic!("{name}: {error}"));
        assert_eq!(refusal.status, code);
        assert!(refusal.text.starts_with(said), "{name}: {}", refusal.text);
    }
    let (_service, client) = recorded("refused").await;
    let unknown = serde_json::from_value(json!({"reportType": "NO_SUCH", "arguments": {}})).unwrap();
    let error = client.reports().start_report(&unknown).await.unwrap_err();
    assert!(matches!(&error, Error::Refused(refusal) if refusal.detail_code.is_some()), "{error}");
}
