//! Schedules of policies.

use super::*;

/// The schedule of a policy reports its violations as the policy is at the time of the run, and it is the policy's last report.
#[tokio::test]
async fn the_schedule_of_a_policy_reports_its_violations() {
    let world = world("2026-03-02T08:30:00Z");
    let owner = build::user_with(Scope::SodViolationManage, UserLevel::SodPolicyAdmin);
    let owner = Caller { client: ClientId::new("client of a policy"), ..owner };
    let credential = Credential { caller: owner.clone(), ..build::credential("x", world.clock.now()) };
    world.store.put_credential(&credential);
    let content = serde_json::json!({"name": "Pay", "policyQuery": "department:Finance", "type": "GENERAL"});
    let policy = SodPolicy {
        id: SodPolicyId::new("pay"),
        content: serde_json::from_value(content).unwrap(),
        exceptions: Vec::new(),
        creator: "i".into(),
        modifier: None,
        created: world.clock.now(),
        modified: world.clock.now(),
    };
    let event = || acts::event(AuditOperation::ConfigurationChanged, &build::tenant(), world.clock.now());
    world.store.add_sod_policy(&policy, &event()).await.unwrap();
    let work = ScheduledWork::Policy(ScheduledPolicy {
        policy: policy.id.clone(),
        name: Some("Every hour".into()),
        description: None,
        recipients: Vec::new(),
        email_empty_results: false,
        creator: "i".into(),
        modifier: None,
        modified: world.clock.now(),
    });
    let entry = world.schedule_of(owner, "schedule of the policy pay", work, HOURLY).await;
    world.advance(TimeDelta::minutes(30)).await;
    let tasks = world.tasks().await;
    assert_eq!((tasks.len(), tasks[0].report.as_str()), (1, "SOD_VIOLATIONS"));
    assert!(tasks[0].arguments.text("policies").unwrap().contains("department:Finance"));
    let note = &tasks[0].messages[0].text;
    assert!(note.ends_with("; of the policy \"Pay\""), "{note}");
    let last = world.store.sod_report(&build::tenant(), Some(&policy.id)).await.unwrap();
    assert_eq!(last.as_ref(), Some(&tasks[0].id));
    world.end_tasks(succeeds).await;
    world.advance(TimeDelta::seconds(2)).await;
    assert_eq!(world.last(&entry).await.0, RunState::Succeeded);
    assert!(world.store.remove_sod_policy(&policy.id, &event()).await.unwrap());
    world.advance(TimeDelta::hours(1)).await;
    assert_eq!(world.last(&entry).await, (RunState::Failed, "the policy pay is gone".to_owned()));
}
