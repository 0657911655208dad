//! `muster schedule`: reports and refreshes at times.

use crate::cli::{ScheduleAddArgs, ScheduleCommand};
use crate::clock::SystemClock;
use crate::commands::client;
use crate::commands::report::arguments;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::failure::{Failure, Result};
use crate::ids::SystemIds;
use crate::output::{Column, Output, json, print, table, text};
use chrono::{DateTime, SecondsFormat, Utc};
use muster_client::wire::{ArgumentDescription, ReportDescription};
use muster_reports::arguments::{RawArguments, UnknownNames};
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::caller::Caller;
use muster_reports::ids::{ReportId, ScheduleId};
use muster_reports::nearest;
use muster_reports::notify::{Notify, Occasion, check_attached};
use muster_reports::ports::{Clock, Ids, ScheduleStore};
use muster_reports::schedule::{ScheduleForm, time_zone};
use muster_reports::scheduled::{FallenDue, NewSchedule, ScheduledEntry, ScheduledRun, ScheduledWork};
use muster_reports::{Catalogue, ReportDefinition};
use serde::Serialize;
use serde_json::{Map, Value};

/// Runs that `show` lists.
const RUNS_SHOWN: u32 = 20;

/// Does what `command` says.
pub async fn run(command: &ScheduleCommand, settings: &Settings, output: Output) -> Result {
    let data = DataDir::open(settings).await?;
    match command {
        ScheduleCommand::Add(args) => add(&data, args, output).await,
        ScheduleCommand::List => list(&data, output).await,
        ScheduleCommand::Show { schedule } => show(&data, schedule, output).await,
        ScheduleCommand::Pause { schedule } => pause(&data, schedule, true).await,
        ScheduleCommand::Resume { schedule } => pause(&data, schedule, false).await,
        ScheduleCommand::Run { schedule } => {
            let entry = find(&data, schedule).await?;
            let fallen = FallenDue { due: SystemClock.now(), missed_since: None };
            data.store.run_schedule(&entry.id, fallen, &event(&data, &entry, "schedule run by hand")).await?;
            print(&format!(
                "schedule {:?} has a run; `muster schedule show` shows what becomes of it",
                entry.name
            ))
        }
        ScheduleCommand::Remove { schedule } => {
            let entry = find(&data, schedule).await?;
            data.store.remove_schedule(&entry.id, &event(&data, &entry, "schedule removed")).await?;
            print(&format!("schedule {:?} is removed", entry.name))
        }
    }
}

fn event(data: &DataDir, entry: &ScheduledEntry, details: &str) -> AuditEvent {
    data.event(AuditOperation::ConfigurationChanged, &entry.name, details.into())
}

async fn add(data: &DataDir, args: &ScheduleAddArgs, output: Output) -> Result {
    let notify = args.notify.entries();
    data.notify_policy().check(&notify)?;
    let source = client::sources(data, args.source.as_slice()).await?.pop();
    let work = work(&data.catalogue().await?, args, source.as_deref(), &notify)?;
    let new = NewSchedule { name: args.name.clone(), work, form: form(args)?, notify };
    let owner = match &args.client {
        Some(id) => owner(data, id).await?,
        // Nobody's: a refresh has the rights of whoever may run commands on the data directory.
        None => {
            let event = data.event(AuditOperation::ConfigurationChanged, "", String::new());
            Caller { trace: None, ..event.caller }
        }
    };
    let zone = time_zone(&data.settings.schedules.time_zone)?;
    let entry = new.entry(ScheduleId::new(SystemIds.fresh()), owner, zone, SystemClock.now())?;
    let added = format!("schedule added: {}", entry.form);
    data.store.add_schedule(&entry, &event(data, &entry, &added)).await?;
    match output {
        Output::Json => json(&Listed::of(&entry, None)),
        Output::Table => {
            let next = entry.due.map(when).unwrap_or_default();
            print(&format!("schedule {:?} is added; it is due next at {next}", entry.name))
        }
    }
}

/// The client of a report, as its credential has it.
async fn owner(data: &DataDir, named: &str) -> Result<Caller> {
    let credential = client::named(data, named).await?;
    match credential.enabled {
        true => Ok(credential.caller),
        false => {
            Err(Failure::usage(format!("--client: the client {} is disabled", credential.caller.client)))
        }
    }
}

fn form(args: &ScheduleAddArgs) -> Result<ScheduleForm> {
    let mut form = match &args.form {
        None => ScheduleForm { cron: args.cron.clone(), ..ScheduleForm::default() },
        Some(text) => {
            serde_json::from_str(text).map_err(|error| Failure::usage(format!("--form: {error}")))?
        }
    };
    if let Some(zone) = &args.time_zone {
        form.time_zone_id = Some(zone.clone());
    }
    Ok(form)
}

/// `source` is the id of the source that the report is about.
fn work(
    catalogue: &Catalogue,
    args: &ScheduleAddArgs,
    source: Option<&str>,
    notify: &[Notify],
) -> Result<ScheduledWork> {
    let Some(kind) = &args.report else { return Ok(ScheduledWork::Refresh) };
    let described: Vec<_> = catalogue.iter().map(|definition| described(&definition)).collect();
    let mut given: Map<String, Value> = arguments::typed(&described, kind, &args.arguments)?;
    if let Some(source) = source {
        arguments::about(&described, kind, source, &mut given)?;
    }
    let raw: RawArguments = given.iter().map(|(name, value)| (name.clone(), value.into())).collect();
    let report = ReportId::new(kind);
    let definition = catalogue.definition(&report)?;
    let (checked, _) = definition.check_arguments(&raw, UnknownNames::Refuse)?;
    check_attached(notify, &definition.formats_wanted(&checked))?;
    Ok(ScheduledWork::Report { report, arguments: given, refresh_first: args.refresh })
}

/// What the types of arguments are found by.
fn described(definition: &ReportDefinition) -> ReportDescription {
    let arguments = definition.all_arguments();
    let arguments = arguments.map(|spec| ArgumentDescription {
        name: spec.name.clone(),
        kind: spec.kind.name().into(),
        expected: spec.kind.expectation(),
        required: spec.required,
        default: Value::Null,
        allowed: None,
        meaning: spec.meaning.clone(),
    });
    ReportDescription {
        id: definition.id.to_string(),
        version: definition.version,
        name: definition.name.clone(),
        description: definition.description.clone(),
        built_in: definition.built_in,
        norms: definition.norms.clone(),
        row: definition.row.clone(),
        digest: definition.digest.clone(),
        formats: Vec::new(),
        arguments: arguments.collect(),
        columns: Vec::new(),
        attribute_columns: None,
    }
}

/// The schedule of a name or an id.
async fn find(data: &DataDir, named: &str) -> Result<ScheduledEntry> {
    let all = data.store.schedules(&data.tenant).await?;
    let near = nearest::hint(named, all.iter().map(|entry| entry.name.as_str()));
    let found = all.into_iter().find(|entry| entry.name == named || entry.id.as_str() == named);
    found.ok_or_else(|| {
        Failure::not_found(format!("there is no schedule {named:?}{near}; `muster schedule list` lists them"))
    })
}

async fn pause(data: &DataDir, named: &str, paused: bool) -> Result {
    let entry = find(data, named).await?;
    let due = entry.due_if(paused, SystemClock.now());
    let done = if paused { "schedule paused" } else { "schedule resumed" };
    data.store.pause_schedule(&entry.id, paused, due, &event(data, &entry, done)).await?;
    match due {
        None if paused => print(&format!("schedule {:?} is paused", entry.name)),
        None => print(&format!("schedule {:?} goes on, and no time is to come", entry.name)),
        Some(due) => print(&format!("schedule {:?} goes on; it is due next at {}", entry.name, when(due))),
    }
}

fn when(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    name: String,
    what: String,
    owner: String,
    times: String,
    notify: Vec<Notify>,
    paused: bool,
    next_run: Option<String>,
    last_run: Option<ListedRun>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedRun {
    due: String,
    missed_since: Option<String>,
    state: &'static str,
    attempts: u32,
    task_result_id: Option<String>,
    message: Option<String>,
    ended: Option<String>,
}

impl ListedRun {
    fn of(run: &ScheduledRun) -> Self {
        Self {
            due: when(run.due),
            missed_since: run.missed_since.map(when),
            state: run.state.as_str(),
            attempts: run.attempts,
            task_result_id: run.task.as_ref().map(ToString::to_string),
            message: run.message.clone(),
            ended: run.ended.map(when),
        }
    }
}

impl Listed {
    fn of(entry: &ScheduledEntry, last: Option<&ScheduledRun>) -> Self {
        let what = match &entry.work {
            ScheduledWork::Refresh => "refresh".to_owned(),
            ScheduledWork::Search(search) => format!("saved search {}", search.saved_search),
            ScheduledWork::Policy(policy) => format!("violations of the policy {}", policy.policy),
            ScheduledWork::Report { report, refresh_first: false, .. } => report.to_string(),
            ScheduledWork::Report { report, refresh_first: true, .. } => format!("refresh, {report}"),
        };
        Self {
            id: entry.id.to_string(),
            name: entry.name.clone(),
            what,
            owner: entry.owner.launcher().to_owned(),
            times: entry.form.to_string(),
            notify: entry.notify.clone(),
            paused: entry.paused,
            next_run: entry.due.map(when),
            last_run: last.map(ListedRun::of),
        }
    }

    fn next(&self) -> String {
        if self.paused { "paused".into() } else { self.next_run.clone().unwrap_or_else(|| "never".into()) }
    }
}

async fn list(data: &DataDir, output: Output) -> Result {
    let mut listed = Vec::new();
    for entry in data.store.schedules(&data.tenant).await? {
        let last = data.store.runs_of(&data.tenant, &entry.id, 1).await?.into_iter().next();
        listed.push(Listed::of(&entry, last.as_ref()));
    }
    let columns = ["name", "what", "owner", "times", "next run", "last run", "state"].map(text);
    output.list(&listed, &columns, |schedule| {
        let last = schedule.last_run.as_ref();
        vec![
            schedule.name.clone(),
            schedule.what.clone(),
            schedule.owner.clone(),
            schedule.times.clone(),
            schedule.next(),
            last.map(|run| run.due.clone()).unwrap_or_default(),
            last.map(|run| run.state.to_owned()).unwrap_or_default(),
        ]
    })
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    schedule: Listed,
    runs: Vec<ListedRun>,
}

async fn show(data: &DataDir, named: &str, output: Output) -> Result {
    const RUN: [Column; 5] = [text("due"), text("state"), text("ended"), text("report"), text("message")];
    let entry = find(data, named).await?;
    let runs = data.store.runs_of(&data.tenant, &entry.id, RUNS_SHOWN).await?;
    let schedule = Listed::of(&entry, runs.first());
    let shown = Shown { schedule, runs: runs.iter().map(ListedRun::of).collect() };
    if output == Output::Json {
        return json(&shown);
    }
    let Shown { schedule, runs } = shown;
    let mut head = format!(
        "{}: {} for {}, {}; next run: {}\n",
        schedule.name,
        schedule.what,
        schedule.owner,
        schedule.times,
        schedule.next()
    );
    for entry in &schedule.notify {
        let on: Vec<_> = entry.on.iter().copied().map(Occasion::as_str).collect();
        head.push_str(&format!("told: {} of {}\n", entry.to.shown(), on.join(", ")));
    }
    let rows = runs.into_iter().map(|run| {
        let missed = run.missed_since.map(|first| format!("missed since {first}; ")).unwrap_or_default();
        vec![
            run.due,
            run.state.into(),
            run.ended.unwrap_or_default(),
            run.task_result_id.unwrap_or_default(),
            missed + &run.message.unwrap_or_default(),
        ]
    });
    print(&format!("{head}\n{}", table(&RUN, rows)))
}
