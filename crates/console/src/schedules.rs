//! Schedules: the list, one with its last runs, and making, pausing, running and removing them.

use crate::api::{Counted, Refusal, encoded};
use crate::arguments::{Form, FormFields, fields, values};
use crate::fields::Fields;
use crate::form::Posted;
use crate::look::{Moment, value};
use crate::new_run::{definition, definitions, is_search, sources};
use crate::page::{Layout, Section, html, see_other, shown};
use crate::preview::search_fields;
use crate::problem::Problem;
use crate::question::{Question, act};
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use muster_wire::{ReportDescription, ScheduleDescription, ScheduleRun, SearchFieldsDescription};
use serde_json::{Map, Value, json};

const ROUTE: &str = "/muster/v1/schedules";

fn layout(title: impl Into<String>, visitor: &Visitor) -> Layout {
    Layout::new(title, Section::Schedules, Some(&visitor.session))
}

struct Row {
    address: String,
    name: String,
    work: String,
    owner: String,
    when: String,
    paused: bool,
    next: Moment,
}

/// When it is due, in one line.
fn when(schedule: &Value) -> String {
    let zone = schedule["timeZoneId"].as_str().map_or_else(String::new, |zone| format!(" ({zone})"));
    match schedule["cron"].as_str() {
        Some(cron) => format!("{cron}{zone}"),
        None => {
            let parts = ["type", "months", "days", "hours"];
            let said = parts.into_iter().filter(|part| !schedule[*part].is_null()).map(|part| match schedule
                [part]
                .get("values")
            {
                Some(values) => format!("{part} {}", value(values)),
                None => value(&schedule[part]).to_lowercase(),
            });
            said.collect::<Vec<_>>().join(", ") + &zone
        }
    }
}

fn work(schedule: &ScheduleDescription) -> String {
    match (&schedule.report_id, schedule.refresh) {
        (Some(report), true) => format!("Refresh, then {report}"),
        (Some(report), false) => report.clone(),
        (None, true) => "Refresh".to_owned(),
        (None, false) => "Saved search".to_owned(),
    }
}

#[derive(Template)]
#[template(path = "schedules.html")]
struct SchedulesPage {
    layout: Layout,
    rows: Vec<Row>,
}

/// The list.
pub(crate) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let schedules: Vec<ScheduleDescription> = visitor.api.get(ROUTE).await?;
    let row = |schedule: ScheduleDescription| Row {
        address: format!("/ui/schedules/{}", encoded(&schedule.id)),
        work: work(&schedule),
        when: when(&schedule.schedule),
        next: Moment::of(schedule.next_run.as_deref()),
        name: schedule.name,
        owner: schedule.owner,
        paused: schedule.paused,
    };
    shown(&SchedulesPage {
        layout: layout("Schedules", &visitor).noticing(query.text("done")),
        rows: schedules.into_iter().map(row).collect(),
    })
}

struct RunRow {
    due: Moment,
    missed: Moment,
    state: String,
    attempts: u32,
    run: String,
    message: String,
    ended: Moment,
}

fn run_row(run: ScheduleRun) -> RunRow {
    RunRow {
        due: Moment::of(Some(&run.due)),
        missed: Moment::of(run.missed_since.as_deref()),
        state: run.state,
        attempts: run.attempts,
        run: run.task_result_id.map_or_else(String::new, |id| format!("/ui/runs/{}", encoded(&id))),
        message: run.message.unwrap_or_default(),
        ended: Moment::of(run.ended.as_deref()),
    }
}

#[derive(Template)]
#[template(path = "schedule.html")]
struct SchedulePage {
    layout: Layout,
    name: String,
    owner: String,
    work: String,
    when: String,
    paused: bool,
    created: Moment,
    next: Moment,
    arguments: Vec<(String, String)>,
    recipients: Vec<String>,
    runs: Vec<RunRow>,
    here: String,
}

/// One schedule.
pub(crate) async fn one(
    visitor: Visitor,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let schedule: ScheduleDescription = visitor.api.get(&format!("{ROUTE}/{}", encoded(&id))).await?;
    let arguments = schedule.arguments.clone().unwrap_or_default();
    let told = schedule.notify.iter().map(|notify| notify.email.clone().or(notify.webhook.clone()));
    shown(&SchedulePage {
        layout: layout(schedule.name.as_str(), &visitor).noticing(query.text("done")),
        work: work(&schedule),
        when: when(&schedule.schedule),
        created: Moment::of(Some(&schedule.created)),
        next: Moment::of(schedule.next_run.as_deref()),
        arguments: arguments.iter().map(|(name, given)| (name.clone(), value(given))).collect(),
        recipients: told.flatten().collect(),
        runs: schedule.runs.unwrap_or_default().into_iter().map(run_row).collect(),
        here: format!("/ui/schedules/{}", encoded(&schedule.id)),
        name: schedule.name,
        owner: schedule.owner,
        paused: schedule.paused,
    })
}

#[derive(Template)]
#[template(path = "new_schedule.html")]
struct NewSchedulePage {
    layout: Layout,
    report: ReportDescription,
    fields: FormFields,
    /// The fields that the query of a search can name.
    search_fields: Vec<SearchFieldsDescription>,
    name: String,
    cron: String,
    zone: String,
    error: String,
    here: String,
}

#[derive(Template)]
#[template(path = "schedule_kinds.html")]
struct ScheduleKindsPage {
    layout: Layout,
    kinds: Vec<(String, String, String)>,
}

/// The reports that can be scheduled.
pub(crate) async fn kinds(visitor: Visitor) -> Result<Response, Problem> {
    let kinds = definitions(&visitor).await?.into_iter();
    let kinds =
        kinds.map(|kind| (format!("/ui/schedules/new/{}", encoded(&kind.id)), kind.name, kind.description));
    shown(&ScheduleKindsPage { layout: layout("New schedule", &visitor), kinds: kinds.collect() })
}

async fn asked(
    visitor: &Visitor,
    report: ReportDescription,
    given: &Fields,
    refused: Option<&Refusal>,
) -> Result<Response, Problem> {
    let sources = sources(visitor).await?;
    let error = refused.map(|refusal| refusal.text.clone()).unwrap_or_default();
    let text = |name: &str, default: &str| match given.has(name) {
        true => given.text(name).to_owned(),
        false => default.to_owned(),
    };
    let page = NewSchedulePage {
        layout: layout(format!("New schedule: {}", report.name), visitor),
        fields: fields(&report.arguments, &sources, given, &error),
        search_fields: match is_search(&report) {
            true => search_fields(visitor).await?,
            false => Vec::new(),
        },
        name: text("schedule-name", ""),
        cron: text("schedule-cron", "0 6 * * MON-FRI"),
        zone: text("schedule-zone", ""),
        error,
        here: format!("/ui/schedules/new/{}", encoded(&report.id)),
        report,
    };
    Ok(html(refused.map_or(StatusCode::OK, |refusal| refusal.status), &page))
}

/// The form of a new schedule.
pub(crate) async fn form(
    visitor: Visitor,
    Path(report): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let given = Fields::read(&query.unwrap_or_default());
    let report = definition(&visitor, &report).await?;
    asked(&visitor, report, &given, None).await
}

/// Makes a schedule.
pub(crate) async fn keep(Path(report): Path<String>, posted: Posted) -> Result<Response, Problem> {
    let Posted { visitor, fields: given } = posted;
    let report = definition(&visitor, &report).await?;
    let arguments = values(&report.arguments, &sources(&visitor).await?, &given);
    let mut schedule = Map::from_iter([("cron".to_owned(), Value::from(given.text("schedule-cron")))]);
    if !given.text("schedule-zone").is_empty() {
        schedule.insert("timeZoneId".to_owned(), Value::from(given.text("schedule-zone")));
    }
    let body = json!({
        "name": given.text("schedule-name"), "reportId": report.id, "arguments": arguments, "schedule": schedule,
    });
    let made: Result<Counted<ScheduleDescription>, Refusal> =
        visitor.api.send(Method::POST, ROUTE, &body).await;
    match made {
        Ok(made) => Ok(see_other(&format!("/ui/schedules/{}?done=saved", encoded(&made.body.id)))),
        Err(refusal) if refusal.is_about_input() => asked(&visitor, report, &given, Some(&refusal)).await,
        Err(refusal) => Err(refusal.into()),
    }
}

/// Runs it now.
pub(crate) async fn run(Path(id): Path<String>, posted: Posted) -> Result<Response, Problem> {
    let id = encoded(&id);
    let to = format!("/ui/schedules/{id}?done=started");
    act(&posted, Method::POST, &format!("{ROUTE}/{id}/run"), &to).await
}

/// Pauses it, or lets it go on.
pub(crate) async fn pause(Path(id): Path<String>, posted: Posted) -> Result<Response, Problem> {
    let paused = posted.fields.text("paused") == "true";
    let address = format!("{ROUTE}/{}", encoded(&id));
    let body = json!({"paused": paused});
    posted.visitor.api.send::<Value>(Method::PATCH, &address, &body).await?;
    let done = if paused { "paused" } else { "resumed" };
    Ok(see_other(&format!("/ui/schedules/{}?done={done}", encoded(&id))))
}

const REMOVE: Question = Question {
    section: Section::Schedules,
    title: "Remove a schedule",
    consequence: "It makes no further runs. The results of its runs stay.",
    yes: "Remove the schedule",
    word: "remove",
};

/// Asks whether to remove it.
pub(crate) async fn ask_remove(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = encoded(&id);
    let schedule: ScheduleDescription = visitor.api.get(&format!("{ROUTE}/{id}")).await?;
    let question = format!("Remove the schedule {}?", schedule.name);
    REMOVE.ask(&visitor, question, format!("/ui/schedules/{id}"))
}

/// Removes it.
pub(crate) async fn remove(Path(id): Path<String>, posted: Posted) -> Result<Response, Problem> {
    let route = format!("{ROUTE}/{}", encoded(&id));
    act(&posted, Method::DELETE, &route, "/ui/schedules?done=removed").await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_schedule_are_told_in_a_line() {
        assert_eq!(
            when(&json!({"cron": "0 6 * * MON", "timeZoneId": "Europe/Berlin"})),
            "0 6 * * MON (Europe/Berlin)"
        );
        let published = json!({
            "type": "WEEKLY", "days": {"type": "LIST", "values": ["MON", "WED"]},
            "hours": {"type": "LIST", "values": ["6"]}, "timeZoneId": "UTC",
        });
        assert_eq!(when(&published), "weekly, days MON, WED, hours 6 (UTC)");
    }
}
