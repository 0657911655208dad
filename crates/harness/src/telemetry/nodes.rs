//! Two nodes over one PostgreSQL database, and one collector: a report that one node is asked for and the other makes is one
//! trace, and so is the run of a schedule.

use super::collector::{Collector, Span};
use super::world::{CALLER, PATIENCE, World, expect};
use crate::command;
use crate::failure::{Failure, Result};
use crate::installation::{Installation, over_postgres};
use crate::postgres::Postgres;
use serde_json::json;
use std::path::Path;

/// People in the organisation.
const IDENTITIES: u64 = 200;
/// How often all reports are started until the other node makes one of them.
const ROUNDS: usize = 10;
/// The schedule.
const SCHEDULE: &str = "traced";

/// Two nodes.
pub(super) struct Nodes {
    _database: Postgres,
    asked: Installation,
    other: Installation,
}

impl Nodes {
    pub(super) fn new(binary: &Path, folder: &Path) -> Result<Self> {
        let database = Postgres::start("telemetry")?;
        let settings = over_postgres(&database.url, &folder.join("shared"));
        let asked = Installation::with_demo_and(binary, &folder.join("node-1"), IDENTITIES, settings)?;
        let data = folder.join("node-2");
        let other = Installation { log: data.with_extension("serve.log"), data, ..asked.clone() };
        Ok(Self { _database: database, asked, other })
    }

    /// Both checks.
    pub(super) fn traced(
        &self,
        collector: &Collector,
        note: &mut impl FnMut(&str, Result<()>),
    ) -> Result<()> {
        let on = |installation| World { installation, collector };
        // One long and one short report at a time; the other node has room for the rest.
        let narrow = [("MUSTER__WORKER__COUNT", "1"), ("MUSTER__SCHEDULES__RUN", "false")];
        let (asked, other) = (on(&self.asked).serve(&narrow)?, on(&self.other).serve(&[])?);
        let api = asked.connect(&self.asked.user)?;
        note("a report that another node makes is in the trace of its request", self.shared(collector, &api));
        note("the run of a schedule is a trace", self.scheduled(collector));
        asked.stop()?;
        other.stop()
    }

    /// Starts reports at one node until the other one has made one.
    fn shared(&self, collector: &Collector, api: &crate::api::Api) -> Result<()> {
        for round in 0..ROUNDS {
            let started: Vec<(String, String)> = self
                .asked
                .reports()
                .iter()
                .enumerate()
                .map(|(number, report)| {
                    let trace = format!("{:032x}", 0xa000 + round * 0x100 + number);
                    let task = api.start_within(report, &format!("00-{trace}-{CALLER}-01"))?;
                    Ok((trace, task))
                })
                .collect::<Result<_>>()?;
            for (trace, task) in started {
                api.ended(&task, PATIENCE)?;
                let (request, run) = collector.wait("a request and its run", |spans| {
                    let one = |name: &str| {
                        spans.iter().find(|span| span.trace == trace && span.name == name).cloned()
                    };
                    one("POST /v2024/reports/run").zip(one("run"))
                })?;
                expect("the parent of the run", &run.parent, &request.span)?;
                expect("the task of the run", &run.attributes["muster.task"], &json!(task))?;
                if instance(&run) != instance(&request) {
                    return Ok(());
                }
            }
        }
        Err(Failure::new(format!("in {ROUNDS} rounds, the node that was asked made every report itself")))
    }

    /// The schedule's span begins the trace; the start and the run are its children, and the trail names it.
    fn scheduled(&self, collector: &Collector) -> Result<()> {
        let client = self.asked.user.id.as_str();
        let mut add = self.asked.command();
        add.args(["schedule", "add", SCHEDULE, "--report", "IDENTITIES", "--client", client]);
        // It is due in a year at the earliest, but it is run now.
        command::output(add.args(["--cron", "0 0 29 2 *"]))?;
        command::output(self.asked.command().args(["schedule", "run", SCHEDULE]))?;
        let of_schedule = collector.wait("the run of the schedule", |spans| {
            let schedule = spans.iter().find(|span| span.name == "schedule")?;
            let of_trace: Vec<Span> =
                spans.iter().filter(|span| span.trace == schedule.trace).cloned().collect();
            of_trace.iter().any(|span| span.name == "run").then_some(of_trace)
        })?;
        let one = |name: &str| {
            let mut found = of_schedule.iter().filter(|span| span.name == name);
            match (found.next(), found.next()) {
                (Some(span), None) => Ok(span),
                _ => Err(Failure::new(format!("not one span {name:?} in {of_schedule:?}"))),
            }
        };
        let schedule = one("schedule")?;
        expect("the parent of the schedule", &schedule.parent.as_str(), &"")?;
        expect("its attempt", &schedule.attributes["muster.attempt"], &json!(1))?;
        for child in ["start", "queued", "run"] {
            expect(&format!("the parent of {child}"), &one(child)?.parent, &schedule.span)?;
        }
        expect(
            "the task that was started",
            &one("start")?.attributes["muster.task"],
            &one("run")?.attributes["muster.task"],
        )?;
        let listed = command::output(self.asked.command().args(["audit", "list", "--output", "json"]))?;
        let parent = format!("00-{}-{}-01", schedule.trace, schedule.span);
        if listed.contains(&parent) {
            return Ok(());
        }
        Err(Failure::new(format!("no event of the audit trail has {parent}")))
    }
}

fn instance(span: &Span) -> &serde_json::Value {
    &span.resource["service.instance.id"]
}
