//! Pages of a search over all identities, while the organisation is refreshed again and again.

use super::benchmark::{Benchmark, Row};
use super::data::Data;
use super::entry::{Entry, OURS, Sample, Unit};
use super::refresh::send_on_leave;
use muster_harness::api::Api;
use muster_harness::command;
use muster_harness::failure::{Failure, Result};
use muster_harness::installation::muster;
use muster_harness::server::Server;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;
use std::time::Instant;

/// The row.
pub const ROWS: [Row; 1] =
    [Row::new("paging", "identities read to the end by searchAfter, while refreshes go on", paging)];
/// Documents of a page: what the published clients ask for, and the most that the API gives.
const PAGES: [usize; 2] = [250, 10_000];

/// The figure is the identities in a second. Each must come once: those of the snapshot that the first page read.
fn paging(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let data = benchmark.data()?;
    let server = data.installation.serve(&[])?;
    let api = server.connect(&data.installation.user)?;
    let mut entries = Vec::new();
    for page in PAGES {
        entries.push(pages_of(page, benchmark, row, data, &server, &api)?);
    }
    server.stop()?;
    data.put_back()?;
    Ok(entries)
}

fn pages_of(
    page: usize,
    benchmark: &Benchmark<'_>,
    row: &Row,
    data: &Data,
    server: &Server,
    api: &Api,
) -> Result<Entry> {
    let mut entry = Entry::new(row.what, OURS, Unit::PerSecond);
    let mut refreshes = 0;
    for _ in 0..benchmark.numbers.runs {
        let is_read = AtomicBool::new(false);
        let (seconds, rows) = scope(|scope| -> Result<(f64, u64)> {
            let refreshing = scope.spawn(|| refresh_until(data, &is_read));
            let begun = Instant::now();
            let read = read_to_the_end(api, page);
            let seconds = begun.elapsed().as_secs_f64();
            is_read.store(true, Ordering::Relaxed);
            refreshes += refreshing.join().map_err(|_| Failure::new("the refreshes panicked"))??;
            Ok((seconds, read?))
        })?;
        let expected = data.facts["rows"]["identity_documents"].as_u64();
        if expected != Some(rows) {
            return Err(Failure::new(format!("{rows} identities were read: expected {expected:?}")));
        }
        entry.add(&Sample {
            figure: rows as f64 / seconds,
            peak_kib: Some(server.peak_memory_kib()?),
            rows: Some(rows),
            ..Sample::default()
        });
    }
    let fields = if page > PAGES[0] { " of three fields" } else { "" };
    entry.remark(&format!("pages of {page} documents{fields}; {refreshes} refreshes meanwhile"));
    Ok(entry)
}

/// Changes a person and refreshes, until all pages are read; how often. The snapshot that is read stays.
fn refresh_until(data: &Data, is_read: &AtomicBool) -> Result<u32> {
    let mut refreshes = 0;
    while !is_read.load(Ordering::Relaxed) {
        send_on_leave(&data.file_to_change("employees.csv")?)?;
        let mut refresh = muster(&data.installation.binary, &data.installation.data);
        refresh.envs(data.installation.settings.iter().cloned()).env("MUSTER__SNAPSHOTS__KEEP_LAST", "100");
        command::output(refresh.arg("refresh"))?;
        refreshes += 1;
    }
    Ok(refreshes)
}

/// Reads all pages; how many identities they have. A failure if one comes twice.
fn read_to_the_end(api: &Api, documents_of_page: usize) -> Result<u64> {
    let mut body = json!({"indices": ["identities"], "query": {"query": "*"}, "sort": ["id"]});
    // The largest page takes documents of a few fields only: whole ones exceed what an answer may have.
    if documents_of_page > PAGES[0] {
        body["queryResultFilter"] = json!({"includes": ["id", "displayName", "email"]});
    }
    let mut seen = HashSet::new();
    loop {
        let page = api.search(&body, documents_of_page)?;
        let documents = page.as_array().ok_or_else(|| Failure::new("a page is not a list"))?;
        for document in documents {
            let id = document["id"].as_str().ok_or_else(|| Failure::new("a document has no id"))?;
            if !seen.insert(id.to_owned()) {
                return Err(Failure::new(format!("identity {id} came twice")));
            }
        }
        let last = documents.last().map(|document| document["id"].clone());
        match last {
            Some(Value::String(last)) if documents.len() == documents_of_page => {
                body["searchAfter"] = json!([last])
            }
            _ => return Ok(seen.len() as u64),
        }
    }
}
