//! Many reports at once, and little memory.

use super::benchmark::{Benchmark, PATIENCE, Row, run_report, wait};
use super::data::Data;
use super::entry::{Contender, Entry, OURS, Sample, Unit, in_turn};
use super::process;
use super::reports::report_of;
use muster_harness::api::{Api, Report};
use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::installation::{Installation, muster};
use muster_harness::server::Server;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The rows.
pub const ROWS: [Row; 2] = [
    Row::new("crowd", "sixteen reports", crowd),
    Row::new(LIMITS_ROW, "all seven reports and a full refresh with little memory for plans", limits),
];
/// The row in which a failure is a result.
pub const LIMITS_ROW: &str = "limits";
/// When the small report joins the crowd.
const JOINS_AFTER: Duration = Duration::from_millis(500);
/// Reports of the crowd. They wait for the workers that there are by default; the small one has the place for short reports.
const CROWD: usize = 16;

fn crowd(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let data = benchmark.data()?;
    let reports = many_reports(&data.installation)?;
    let small = report_of_kind(&data.installation, "ORPHAN_IDENTITIES")?;
    let server = data.installation.serve(&[])?;
    let api = server.connect(&data.installation.user)?;
    // The first of each opens tables; that is not what is measured.
    one_after_another(&api, &reports)?;
    run_report(&api, &small)?;
    let among = RefCell::new(Entry::new("a small report among the sixteen", OURS, Unit::Milliseconds));
    let entry = |what: &str| Entry::new(format!("{}, {what}", row.what), OURS, Unit::Seconds);
    let serial = || -> Result<Sample> {
        let begun = Instant::now();
        one_after_another(&api, &reports)?;
        sample(&server, begun)
    };
    let together = || -> Result<Sample> {
        let begun = Instant::now();
        let ids = reports
            .iter()
            .map(|report| api.start(report).map_err(Failure::from))
            .collect::<Result<Vec<_>>>()?;
        sleep(JOINS_AFTER);
        let joined = Instant::now();
        run_report(&api, &small)?;
        let figure = joined.elapsed().as_secs_f64() * 1_000.0;
        among.borrow_mut().add(&Sample { figure, ..Sample::default() });
        for id in ids {
            wait(&api, &id)?;
        }
        sample(&server, begun)
    };
    let alone = || -> Result<Sample> {
        let begun = Instant::now();
        run_report(&api, &small)?;
        Ok(Sample { figure: begun.elapsed().as_secs_f64() * 1_000.0, ..Sample::default() })
    };
    let contenders = vec![
        Contender::new(entry("one after another"), serial),
        Contender::new(entry("all started at once"), together),
        Contender::new(Entry::new("the small report alone", OURS, Unit::Milliseconds), alone),
    ];
    let mut entries = in_turn(benchmark.numbers.runs, contenders);
    server.stop()?;
    let among = among.into_inner();
    if !among.samples.is_empty() {
        entries.push(among);
    }
    Ok(entries)
}

fn sample(server: &Server, begun: Instant) -> Result<Sample> {
    Ok(Sample {
        figure: begun.elapsed().as_secs_f64(),
        peak_kib: Some(server.peak_memory_kib()?),
        ..Sample::default()
    })
}

fn one_after_another(api: &Api, reports: &[Report]) -> Result<()> {
    reports.iter().try_for_each(|report| run_report(api, report).map(|_| ()))
}

fn report_of_kind(installation: &Installation, kind: &str) -> Result<Report> {
    let found = installation.reports().into_iter().find(|report| report.kind == kind);
    found.ok_or_else(|| Failure::new(format!("the sample organisation has no report {kind}")))
}

/// Sixteen reports of which no two are equal: equal ones would share one task.
fn many_reports(installation: &Installation) -> Result<Vec<Report>> {
    let mut list = muster(&installation.binary, &installation.data);
    list.envs(installation.settings.iter().cloned()).args(["source", "list", "--output", "json"]);
    let sources: Value = serde_json::from_str(&command::output(&mut list)?)
        .context(|| "the list of sources cannot be read".into())?;
    let accounts =
        sources.as_array().into_iter().flatten().filter(|source| source["kind"] != json!("documents"));
    let accounts = accounts.map(|source| Report {
        kind: "ACCOUNTS",
        arguments: json!({"application": source["id"], "sourceName": source["name"]}),
    });
    let of = |kind, arguments| Report { kind, arguments };
    let mut reports: Vec<Report> = accounts.collect();
    reports.push(of("UNCORRELATED_ACCOUNTS", json!({})));
    for only in [true, false] {
        reports.push(of("IDENTITIES", json!({"correlatedOnly": only})));
        reports.push(of("IDENTITIES_DETAILS", json!({"correlatedOnly": only})));
    }
    match reports.len() {
        CROWD => Ok(reports),
        other => {
            Err(Failure::new(format!("the sample organisation gives {other} reports: expected {CROWD}")))
        }
    }
}

/// Values of the setting `engine.memory_limit`.
const LIMITS: [&str; 4] = ["256MiB", "512MiB", "1GiB", "2GiB"];

/// An entry for each limit and each of the eight things that are done: seconds, or why it did not pass. A refusal for lack
/// of memory is a result, not a fault of the benchmark; so is every other end.
fn limits(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let data = benchmark.data()?;
    let mut entries = Vec::new();
    for limit in LIMITS {
        entries.push(refresh_within(benchmark, row, data, limit)?);
        let server = data.installation.serve(&[("MUSTER__ENGINE__MEMORY_LIMIT", limit)])?;
        let api = server.connect(&data.installation.user)?;
        let mut reports = data.installation.reports();
        reports.push(report_of(&data.installation, "search-costliest")?);
        for report in &reports {
            let mut entry = Entry::new(format!("{} with {limit}", report.kind), OURS, Unit::Seconds);
            let begun = Instant::now();
            match run_report(&api, report) {
                Ok((_, rows)) => entry.add(&Sample {
                    figure: begun.elapsed().as_secs_f64(),
                    peak_kib: Some(server.peak_memory_kib()?),
                    rows: Some(rows),
                    ..Sample::default()
                }),
                Err(failure) => entry.failed = Some(failure.to_string()),
            }
            entries.push(entry);
        }
        server.stop()?;
    }
    for entry in &mut entries {
        entry.remark("one run; peak of the process so far");
    }
    Ok(entries)
}

fn refresh_within(benchmark: &Benchmark<'_>, row: &Row, data: &Data, limit: &str) -> Result<Entry> {
    let folder = benchmark.folder(row)?;
    let mut refresh = muster(&benchmark.binary, &data.installation.data);
    refresh.envs(data.installation.settings.iter().cloned()).env("MUSTER__ENGINE__MEMORY_LIMIT", limit);
    let took = process::run(refresh.args(["refresh", "--full"]), &folder, PATIENCE)
        .and_then(|took| took.or_fail("muster refresh"));
    let mut entry = Entry::new(format!("refresh with {limit}"), OURS, Unit::Seconds);
    match took {
        Ok(took) => entry.add(&Sample {
            figure: took.seconds,
            processor: Some(took.processor),
            peak_kib: Some(took.peak_kib),
            ..Sample::default()
        }),
        Err(failure) => entry.failed = Some(failure.to_string()),
    }
    Ok(entry)
}
