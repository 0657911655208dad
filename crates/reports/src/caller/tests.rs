//! Who may do what, and how callers are kept.

use super::*;
use crate::ids::ReportId;
use chrono::TimeDelta;

fn caller(scope: Scope, levels: Option<&[UserLevel]>) -> Caller {
    Caller {
        tenant: TenantId::new("t"),
        client: ClientId::new("c"),
        user: levels.map(|l| UserIdentity {
            id: "i".into(),
            name: "n".into(),
            levels: l.to_vec(),
            audit: None,
        }),
        scopes: vec![scope],
        data_scope: DataScope::Everything,
        trace: None,
    }
}

/// An auditor whose access ends on the tenth day.
fn auditor(scope: Scope, levels: &[UserLevel]) -> Caller {
    let period = Period { from: DateTime::UNIX_EPOCH, to: DateTime::UNIX_EPOCH };
    let ends = DateTime::UNIX_EPOCH + TimeDelta::days(10);
    let limits = AuditorLimits::new(period, [ReportId::new("ACCOUNTS")], ends).expect("these are limits");
    let mut auditor = caller(scope, Some(levels));
    auditor.user = auditor.user.map(|user| UserIdentity { audit: Some(Box::new(limits)), ..user });
    auditor
}

#[test]
fn an_auditors_access_ends() {
    let ends = DateTime::UNIX_EPOCH + TimeDelta::days(10);
    let auditor = auditor(Scope::All, &[UserLevel::Auditor]);
    assert!(auditor.check_end(ends - TimeDelta::microseconds(1)).is_ok());
    assert!(auditor.check_end(ends).is_err());
    assert!(caller(Scope::All, Some(&[UserLevel::OrgAdmin])).check_end(ends).is_ok());
}

/// Versions before auditors do not read one, and so give him no rights; a store finds names in the text as before.
#[test]
fn an_auditor_is_kept_after_his_name() {
    let text = serde_json::to_string(&auditor(Scope::All, &[UserLevel::Auditor])).expect("it is written");
    let kept = r#""user":{"id":"i","name":"n","levels":["AUDITOR"],"audit":{"period":{"from":"1970-01-01T00:00:00Z","to":"1970-01-01T00:00:00Z"},"reports":["ACCOUNTS"],"ends":"1970-01-11T00:00:00Z"}}"#;
    assert!(text.contains(kept), "{text}");
    assert_eq!(serde_json::from_str::<Caller>(&text).ok(), Some(auditor(Scope::All, &[UserLevel::Auditor])));
}

/// What versions before traces wrote and hashed, and how they read: a database may have processes of both.
#[test]
fn versions_without_traces_read_and_are_read() {
    #[derive(Deserialize)]
    struct Before {
        tenant: TenantId,
        client: ClientId,
        user: Option<UserIdentity>,
        scopes: Vec<Scope>,
        data_scope: DataScope,
    }
    let before = r#"{"tenant":"t","client":"c","user":{"id":"i","name":"n","levels":["ORG_ADMIN"]},"scopes":["sp:scopes:all"],"data_scope":"everything"}"#;
    let untraced = caller(Scope::All, Some(&[UserLevel::OrgAdmin]));
    assert_eq!(serde_json::from_str::<Caller>(before).expect("it is read"), untraced);
    assert_eq!(serde_json::to_string(&untraced).expect("it is written"), before);

    let trace = Trace::begin("00112233445566778899aabbccddeeff");
    let traced = Caller { trace: Some(trace.clone()), ..untraced.clone() };
    let text = serde_json::to_string(&traced).expect("it is written");
    let kept = r#","trace":{"traceparent":"00-00112233445566778899aabbccddeeff-8899aabbccddeeff-00"}}"#;
    assert_eq!(text, before.replace(r#""everything"}"#, &format!(r#""everything"{kept}"#)));
    let Before { tenant, client, user, scopes, data_scope } =
        serde_json::from_str(&text).expect("it is read");
    assert_eq!(Caller { tenant, client, user, scopes, data_scope, trace: Some(trace) }, traced);
}

#[test]
fn a_source_administrator_sees_rows_of_named_sources_only() {
    let sources = DataScope::of_sources(["b", "a", "b"]).expect("these are ids");
    assert_eq!(sources.to_string(), "sources a b");
    let none = DataScope::of_sources([]).expect("none is a list of ids");
    use UserLevel::{OrgAdmin, SourceAdmin, SourceSubadmin, User};
    for (levels, granted, seen) in [
        (&[SourceAdmin][..], &DataScope::Everything, &none),
        (&[SourceSubadmin, User], &DataScope::Everything, &none),
        (&[SourceSubadmin, SourceAdmin], &sources, &sources),
        (&[SourceAdmin, OrgAdmin], &DataScope::Everything, &DataScope::Everything),
        (&[OrgAdmin], &sources, &sources),
        (&[User], &DataScope::Everything, &DataScope::Everything),
        (&[], &DataScope::Everything, &DataScope::Everything),
    ] {
        let mut caller = caller(Scope::All, Some(levels));
        caller.data_scope = granted.clone();
        assert_eq!(caller.scope(), *seen, "{levels:?} {granted}");
    }
}

#[test]
fn scopes_cover_what_lies_within_them() {
    let of = |ids: &[&str]| DataScope::of_sources(ids.iter().copied()).expect("these are ids");
    for (wide, narrow, covers) in [
        (DataScope::Everything, DataScope::Everything, true),
        (DataScope::Everything, of(&["a"]), true),
        (of(&["a"]), DataScope::Everything, false),
        (of(&["a", "b"]), of(&["b"]), true),
        (of(&["a"]), of(&["a", "b"]), false),
        (of(&["a"]), of(&[]), true),
    ] {
        assert_eq!(wide.covers(&narrow), covers, "{wide} {narrow}");
    }
    assert!(DataScope::of_sources(["a b"]).is_err() && DataScope::of_sources([""]).is_err());
    let many: Vec<_> = (0..=DataScope::SOURCES_MAX).map(|number| number.to_string()).collect();
    assert!(DataScope::of_sources(many.iter().map(String::as_str)).is_err());
}

/// What is kept in stores and tokens reads back for ever.
#[test]
fn scopes_are_kept_as_they_always_were() {
    let text = |scope: &DataScope| serde_json::to_string(scope).expect("a scope is JSON");
    assert_eq!(text(&DataScope::Everything), r#""everything""#);
    let sources = DataScope::of_sources(["b", "a"]).expect("these are ids");
    assert_eq!(text(&sources), r#"{"sources":["a","b"]}"#);
    assert_eq!(serde_json::from_str::<DataScope>(&text(&sources)).ok(), Some(sources));
}

/// The whole matrix, as docs/contract.md has it.
#[test]
fn rights_are_the_published_ones() {
    for operation in Operation::ALL {
        for scope in Scope::ALL {
            let scope_fits = match operation {
                Operation::PinSnapshot | Operation::ReadAdministration => scope == Scope::All,
                Operation::Search
                | Operation::CountSearch
                | Operation::AggregateSearch
                | Operation::ExplainLink => {
                    matches!(scope, Scope::All | Scope::SearchRead)
                }
                Operation::ReadResult
                | Operation::Download
                | Operation::ReadSchedules
                | Operation::ReadReviews => {
                    matches!(scope, Scope::All | Scope::ReportManage | Scope::ReportRead)
                }
                Operation::Start
                | Operation::Cancel
                | Operation::ManageSchedules
                | Operation::ManageReviews
                | Operation::DecideReviews
                | Operation::ManageDefinitions => {
                    matches!(scope, Scope::All | Scope::ReportManage)
                }
                Operation::ReadTasks => {
                    matches!(scope, Scope::All | Scope::TaskManagementRead | Scope::TaskManagementWrite)
                }
                Operation::ReadHistory | Operation::ListAccess | Operation::CompareSnapshots => {
                    matches!(scope, Scope::All | Scope::IdentityHistoryRead | Scope::IdentityHistoryManage)
                }
                Operation::UpdateTask => matches!(scope, Scope::All | Scope::TaskManagementWrite),
                Operation::ReadSavedSearches => matches!(scope, Scope::All | Scope::SavedSearchRead),
                Operation::ManageSavedSearches | Operation::ExecuteSavedSearch => {
                    matches!(scope, Scope::All | Scope::SavedSearchManage)
                }
                Operation::ReadScheduledSearches | Operation::ManageScheduledSearches => {
                    matches!(scope, Scope::All | Scope::ScheduledSearchManage)
                }
                Operation::ReadSodPolicies => {
                    matches!(scope, Scope::All | Scope::SodPolicyRead | Scope::SodPolicyManage)
                }
                Operation::ManageSodPolicies => matches!(scope, Scope::All | Scope::SodPolicyManage),
                Operation::ReadSodViolations => {
                    matches!(scope, Scope::All | Scope::SodViolationRead | Scope::SodViolationManage)
                }
                Operation::RunSodViolations => matches!(scope, Scope::All | Scope::SodViolationManage),
                Operation::ReadCaller => true,
            };
            let users_only = matches!(
                operation,
                Operation::Cancel
                    | Operation::UpdateTask
                    | Operation::ReadSavedSearches
                    | Operation::ManageSavedSearches
                    | Operation::ExecuteSavedSearch
                    | Operation::ReadScheduledSearches
                    | Operation::ManageScheduledSearches
                    | Operation::ReadSodPolicies
                    | Operation::ManageSodPolicies
                    | Operation::ManageDefinitions
                    | Operation::ManageReviews
                    | Operation::ReadReviews
                    | Operation::DecideReviews
                    | Operation::PinSnapshot
                    | Operation::ReadAdministration
            );
            assert_eq!(
                caller(scope, None).authorise(operation).is_ok(),
                scope_fits && !users_only,
                "application {scope:?} {operation:?}"
            );
            for level in UserLevel::ALL {
                let level_fits = match operation {
                    // Without limits, an auditor may do nothing.
                    _ if level == UserLevel::Auditor => false,
                    Operation::ReadResult
                    | Operation::Download
                    | Operation::ReadSchedules
                    | Operation::Cancel
                    | Operation::ReadSavedSearches
                    | Operation::ManageSavedSearches
                    | Operation::ReadScheduledSearches
                    | Operation::CountSearch
                    | Operation::ReadReviews
                    | Operation::DecideReviews
                    | Operation::ReadCaller => true,
                    Operation::ReadTasks | Operation::ReadHistory | Operation::CompareSnapshots => {
                        !matches!(level, UserLevel::User | UserLevel::SodPolicyAdmin)
                    }
                    Operation::ReadSodPolicies | Operation::ManageSodPolicies => {
                        matches!(level, UserLevel::OrgAdmin | UserLevel::SodPolicyAdmin)
                    }
                    Operation::ReadSodViolations | Operation::RunSodViolations => {
                        !matches!(level, UserLevel::Helpdesk | UserLevel::User)
                    }
                    Operation::ManageDefinitions => {
                        matches!(level, UserLevel::OrgAdmin | UserLevel::ReportAdmin)
                    }
                    Operation::ManageReviews => matches!(level, UserLevel::OrgAdmin | UserLevel::CertAdmin),
                    Operation::PinSnapshot | Operation::ReadAdministration => level == UserLevel::OrgAdmin,
                    Operation::ListAccess => {
                        matches!(level, UserLevel::OrgAdmin | UserLevel::Helpdesk | UserLevel::ReportAdmin)
                    }
                    Operation::Start
                    | Operation::Search
                    | Operation::UpdateTask
                    | Operation::ManageSchedules
                    | Operation::AggregateSearch
                    | Operation::ExecuteSavedSearch
                    | Operation::ExplainLink
                    | Operation::ManageScheduledSearches => {
                        !matches!(level, UserLevel::Helpdesk | UserLevel::User | UserLevel::SodPolicyAdmin)
                    }
                };
                assert_eq!(
                    caller(scope, Some(&[level])).authorise(operation).is_ok(),
                    scope_fits && level_fits,
                    "{level:?} {scope:?} {operation:?}"
                );
            }
            let auditors = matches!(
                operation,
                Operation::Start | Operation::ReadResult | Operation::Download | Operation::ReadCaller
            );
            for levels in [&[UserLevel::Auditor][..], &[UserLevel::OrgAdmin, UserLevel::Auditor], &[]] {
                assert_eq!(
                    auditor(scope, levels).authorise(operation).is_ok(),
                    scope_fits && auditors,
                    "auditor {levels:?} {scope:?} {operation:?}"
                );
            }
        }
    }
}
