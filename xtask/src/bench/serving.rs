//! What clients of the service wait for: downloads over TLS, answers to requests, small reports.

use super::benchmark::{Benchmark, PATIENCE, Row, fetch, run_report};
use super::entry::{Contender, Entry, OURS, Sample, Unit, in_turn, percentile};
use super::process::{self, Running, TICKS_PER_SECOND};
use super::reports::report_of;
use crate::setup;
use muster_harness::api::{Api, Report};
use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::installation::Installation;
use muster_harness::port::ReservedPort;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The rows.
pub const ROWS: [Row; 4] = [
    Row::new(
        "download",
        "a download of a part of the file of IDENTITIES_DETAILS, at most 1 GB, over TLS",
        download,
    ),
    Row::new("requests-result", "requests for a task's result, sixteen connections", requests),
    Row::new("requests-start", "starts of a report that is waiting already, sixteen connections", requests),
    Row::new("small-report", "a small report from start to SUCCESS, idle", small_report),
];
/// The last byte of the part that is downloaded, if the file is larger.
const LAST_BYTE_MAX: u64 = 999_999_999;
/// What asks for a file whole.
const WHOLE: &str = "0-";
/// How long a server may take to answer for the first time.
const START: Duration = Duration::from_secs(60);

fn download(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let data = benchmark.data()?;
    let folder = benchmark.folder(row)?;
    let files = folder.join("files");
    std::fs::create_dir_all(&files).context(|| format!("{} cannot be made", files.display()))?;
    make_certificate(&folder)?;

    // The report is made over plain HTTP; its token stays valid when the service starts again with TLS.
    let server = data.installation.serve(&[])?;
    let api = server.connect(&data.installation.user)?;
    let (id, _) = run_report(&api, &report_of(&data.installation, "details")?)?;
    fetch(&server, &api, &id, &files.join("result.csv"))?;
    server.stop()?;

    let [certificate, key] =
        ["certificate.pem", "key.pem"].map(|name| folder.join(name).display().to_string());
    let tls = [("MUSTER__SERVER__TLS_CERTIFICATE", &*certificate), ("MUSTER__SERVER__TLS_KEY", &*key)];
    let server = data.installation.spawn(&tls)?;
    let base = server.base.replacen("http://", "https://", 1);
    let header = format!("Authorization: {}", api.bearer());
    let ours_url = format!("{base}/v2024/reports/{id}?fileFormat=csv");
    wait_for(&format!("{base}/health/ready"), || Ok(()))?;

    let port = ReservedPort::new()?;
    let mut nginx = nginx(&folder, port.number())?;
    let peer_url = format!("https://127.0.0.1:{}/result.csv", port.number());
    wait_for(&peer_url, || nginx.check("nginx"))?;

    let size = std::fs::metadata(files.join("result.csv")).context(|| files.display().to_string())?.len();
    // All but the last byte of a small file: the digest of a whole file is checked again, which is another figure.
    let last = size.saturating_sub(2).min(LAST_BYTE_MAX);
    let part = format!("0-{last}");
    let [ours, peer] = ["ours", "peer"].map(|name| folder.join(name));
    for (piece, url) in [(&ours, &ours_url), (&peer, &peer_url)] {
        curl(url, &header, &part, piece, &folder)?;
    }
    command::output(Command::new("cmp").arg(&ours).arg(&peer))?;

    let sink = Path::new("/dev/null");
    let once_ours = |range: &str| -> Result<Sample> {
        let before = server.busy_ticks()?;
        let seconds = curl(&ours_url, &header, range, sink, &folder)?;
        let ticks = server.busy_ticks()? - before;
        Ok(served(seconds, ticks, server.peak_memory_kib()?))
    };
    let once_peer = |range: &str| -> Result<Sample> {
        let before = process::busy_ticks(nginx.id())?;
        let seconds = curl(&peer_url, &header, range, sink, &folder)?;
        let ticks = process::busy_ticks(nginx.id())? - before;
        Ok(served(seconds, ticks, muster_harness::server::peak_memory_kib(nginx.id())?))
    };
    let mut entries = Vec::new();
    let whole = "the same of the whole file, whose digest Muster checks each time";
    for (what, range, bytes) in [(row.what, part.as_str(), last + 1), (whole, WHOLE, size)] {
        let entry = |who: &str| Entry::new(what, who, Unit::Seconds);
        let contenders = vec![
            Contender::new(entry(OURS), || once_ours(range)),
            Contender::new(entry("nginx"), || once_peer(range)),
        ];
        let mut measured = in_turn(benchmark.numbers.runs, contenders);
        for entry in &mut measured {
            entry.remark(&format!("{bytes} bytes; processor time of the server"));
        }
        entries.extend(measured);
    }
    server.stop()?;
    drop(nginx);
    std::fs::remove_dir_all(&folder).context(|| format!("{} cannot be removed", folder.display()))?;
    Ok(entries)
}

fn served(seconds: f64, ticks: u64, peak_kib: u64) -> Sample {
    Sample {
        figure: seconds,
        processor: Some(ticks as f64 / TICKS_PER_SECOND),
        peak_kib: Some(peak_kib),
        ..Sample::default()
    }
}

/// A key and a certificate for 127.0.0.1, `key.pem` and `certificate.pem`.
fn make_certificate(folder: &Path) -> Result<()> {
    let mut make = Command::new(setup::debian_program("openssl", "openssl")?);
    make.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ])
    .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
    .arg(folder.join("key.pem"))
    .arg("-out")
    .arg(folder.join("certificate.pem"));
    command::output(&mut make).map(|_| ())
}

/// nginx in one process, which serves `files` with the same certificate.
fn nginx(folder: &Path, port: u16) -> Result<Running> {
    let program = setup::debian_program("nginx", "nginx")?;
    let here = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path {here}/{name};\n"))
        .concat();
    let configuration = format!(
        "daemon off;\nmaster_process off;\npid {here}/nginx.pid;\nerror_log {here}/nginx.log;\nevents {{}}\nhttp {{\n\
         {temporary}    access_log off;\n    sendfile on;\n    server {{\n        listen 127.0.0.1:{port} ssl;\n        \
         ssl_certificate {here}/certificate.pem;\n        ssl_certificate_key {here}/key.pem;\n        \
         root {here}/files;\n    }}\n}}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, configuration).context(|| format!("{} cannot be written", file.display()))?;
    Running::start(
        Command::new(program)
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg(folder.join("nginx.log")),
    )
}

/// Waits until an address answers a request for its head.
fn wait_for(url: &str, mut is_there: impl FnMut() -> Result<()>) -> Result<()> {
    let program = setup::debian_program("curl", "curl")?;
    let begun = Instant::now();
    loop {
        let mut ask = Command::new(&program);
        ask.args([
            "--silent",
            "--insecure",
            "--noproxy",
            "*",
            "--fail",
            "--range",
            "0-0",
            "--output",
            "/dev/null",
            url,
        ]);
        if command::output(&mut ask).is_ok() {
            return Ok(());
        }
        is_there()?;
        if begun.elapsed() > START {
            return Err(Failure::new(format!("{url} does not answer after {START:?}")));
        }
        sleep(Duration::from_millis(50));
    }
}

/// Downloads a range of a file; seconds of the clock, as curl measures them.
fn curl(url: &str, header: &str, range: &str, to: &Path, folder: &Path) -> Result<f64> {
    let mut command = Command::new(setup::debian_program("curl", "curl")?);
    command.args(["--silent", "--show-error", "--insecure", "--noproxy", "*", "--fail", "--range", range]);
    command.args(["--write-out", "%{time_total}", "--header", header, "--output"]).arg(to).arg(url);
    let took = process::run(&mut command, folder, PATIENCE)?.or_fail("curl")?;
    took.printed.trim().parse().context(|| format!("curl told no time: {:?}", took.printed))
}

/// How long requests are sent for one sample.
const WRK_SECONDS: &str = "5s";
/// Connections on which requests are sent one after another, as fast as they are answered.
const CONNECTIONS: u32 = 16;
/// Connections with pauses between requests: many, because a pause is a whole number of milliseconds.
const PAUSING_CONNECTIONS: u32 = 64;

fn requests(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let folder = benchmark.folder(row)?;
    let installation = benchmark.small(&folder)?;
    let is_start = row.name == "requests-start";
    // Without a worker the report that is started stays waiting, and each start finds it.
    let settings: &[(&str, &str)] = if is_start { &[("MUSTER__WORKER__COUNT", "0")] } else { &[] };
    let server = installation.serve(settings)?;
    let api = server.connect(&installation.user)?;
    let path = if is_start {
        "v2024/reports/run".to_owned()
    } else {
        format!("v2024/reports/{}/result", run_report(&api, &smallest(&installation)?)?.0)
    };
    let body = is_start.then_some(r#"{"reportType": "ORPHAN_IDENTITIES", "arguments": {}}"#);
    let wrk = Wrk { folder: &folder, script: wrk_script(&api, body) };

    let route = benchmark.example("bare_route")?;
    let port = ReservedPort::new()?;
    let bare_base = format!("http://127.0.0.1:{}", port.number());
    let mut bare = Running::start(Command::new(route).arg(format!("127.0.0.1:{}", port.number())))?;
    wait_for(&format!("{bare_base}/{path}"), || bare.check("the bare route"))?;

    let [ours_url, bare_url] = [&server.base, &bare_base].map(|base| format!("{base}/{path}"));
    let entry = |who: &str| Entry::new(row.what, who, Unit::PerSecond);
    let once_ours = || -> Result<Sample> {
        let before = server.busy_ticks()?;
        let figure = wrk.rate(&ours_url)?;
        let processor = Some((server.busy_ticks()? - before) as f64 / TICKS_PER_SECOND);
        Ok(Sample { figure, processor, peak_kib: Some(server.peak_memory_kib()?), ..Sample::default() })
    };
    let once_bare = || -> Result<Sample> {
        let before = process::busy_ticks(bare.id())?;
        let figure = wrk.rate(&bare_url)?;
        let processor = Some((process::busy_ticks(bare.id())? - before) as f64 / TICKS_PER_SECOND);
        Ok(Sample { figure, processor, ..Sample::default() })
    };
    let contenders = vec![Contender::new(entry(OURS), once_ours), Contender::new(entry(BARE), once_bare)];
    let mut entries = in_turn(benchmark.numbers.runs, contenders);

    let rate_of = |at: usize| entries.get(at).and_then(Entry::median);
    let paced = [(OURS, &ours_url, rate_of(0)), (BARE, &bare_url, rate_of(1))];
    let paced = paced.into_iter().filter_map(|(who, url, rate)| Some((who, url, rate? / 2.0)));
    let wrk = &wrk;
    let paced = paced.map(|(who, url, rate)| {
        let entry =
            Entry::new("99th percentile of the answers' times at half of its rate", who, Unit::Milliseconds);
        Contender::new(entry, move || {
            Ok(Sample { figure: wrk.late_milliseconds(url, rate)?, ..Sample::default() })
        })
    });
    entries.extend(in_turn(benchmark.numbers.runs, paced.collect()));
    server.stop()?;
    drop(bare);
    std::fs::remove_dir_all(&folder).context(|| format!("{} cannot be removed", folder.display()))?;
    Ok(entries)
}

const BARE: &str = "a bare axum route";

/// The program wrk, which sends one request again and again.
struct Wrk<'a> {
    folder: &'a Path,
    /// What it sends.
    script: String,
}

impl Wrk<'_> {
    /// Sends requests as fast as they are answered: requests in a second.
    fn rate(&self, url: &str) -> Result<f64> {
        rate_told(&self.run(url, CONNECTIONS, &self.script)?)
    }

    /// Sends about so many requests in a second, at random times: within so many milliseconds 99 of a hundred are answered.
    fn late_milliseconds(&self, url: &str, rate: f64) -> Result<f64> {
        let pause = f64::from(PAUSING_CONNECTIONS) / rate * 1_000.0;
        let script =
            format!("{}function delay() return math.random(0, {:.0}) end\n", self.script, pause * 2.0);
        let printed = self.run(url, PAUSING_CONNECTIONS, &script)?;
        rate_told(&printed)?;
        let late =
            printed.lines().find_map(|line| milliseconds_told(line.trim().strip_prefix("99%")?.trim()));
        late.ok_or_else(|| Failure::new(format!("wrk told no percentile: {printed:?}")))
    }

    fn run(&self, url: &str, connections: u32, script: &str) -> Result<String> {
        let file = self.folder.join("requests.lua");
        std::fs::write(&file, script).context(|| format!("{} cannot be written", file.display()))?;
        let mut command = Command::new(setup::debian_program("wrk", "wrk")?);
        command.args(["--threads", "1", "--latency", "--duration", WRK_SECONDS, "--connections"]);
        command.arg(connections.to_string()).arg("--script").arg(&file).arg(url);
        Ok(process::run(&mut command, self.folder, PATIENCE)?.or_fail("wrk")?.printed)
    }
}

/// What wrk sends: a GET, or a POST with this body.
fn wrk_script(api: &Api, body: Option<&str>) -> String {
    let mut text = format!("wrk.headers[\"Authorization\"] = \"{}\"\n", api.bearer());
    if let Some(body) = body {
        text.push_str("wrk.method = \"POST\"\nwrk.headers[\"Content-Type\"] = \"application/json\"\n");
        text.push_str(&format!("wrk.body = '{body}'\n"));
    }
    text
}

/// The rate in what wrk prints. An answer that is not a success is a failure.
fn rate_told(printed: &str) -> Result<f64> {
    let bad = ["Non-2xx", "Socket errors"];
    if let Some(line) = printed.lines().find(|line| bad.iter().any(|word| line.contains(word))) {
        return Err(Failure::new(format!("requests failed: {}", line.trim())));
    }
    let rate =
        printed.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse().ok());
    rate.ok_or_else(|| Failure::new(format!("wrk told no rate: {printed:?}")))
}

/// A time as wrk prints it, in milliseconds.
fn milliseconds_told(text: &str) -> Option<f64> {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1_000.0)];
    let (number, unit) =
        units.into_iter().find_map(|(unit, milliseconds)| Some((text.strip_suffix(unit)?, milliseconds)))?;
    Some(number.parse::<f64>().ok()? * unit)
}

/// The report with the fewest rows.
fn smallest(installation: &Installation) -> Result<Report> {
    let found = installation.reports().into_iter().find(|report| report.kind == "ORPHAN_IDENTITIES");
    found.ok_or_else(|| Failure::new("the sample organisation has no report ORPHAN_IDENTITIES"))
}

fn small_report(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let folder = benchmark.folder(row)?;
    let installation = benchmark.small(&folder)?;
    let server = installation.serve(&[])?;
    let api = server.connect(&installation.user)?;
    let report = smallest(&installation)?;
    let mut entry = Entry::new(row.what, OURS, Unit::Milliseconds);
    for _ in 0..benchmark.numbers.starts {
        let begun = Instant::now();
        run_report(&api, &report)?;
        let figure = begun.elapsed().as_secs_f64() * 1_000.0;
        entry.add(&Sample { figure, peak_kib: Some(server.peak_memory_kib()?), ..Sample::default() });
    }
    let late = percentile(&entry.samples, 99).unwrap_or_default();
    entry.remark(&format!("99th percentile {late:.1} ms, {} starts", benchmark.numbers.starts));
    server.stop()?;
    std::fs::remove_dir_all(&folder).context(|| format!("{} cannot be removed", folder.display()))?;
    Ok(vec![entry])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_wrk_is_read_and_failed_requests_are_seen() {
        let good = "Running 5s test\n  1000 requests in 5.00s\nRequests/sec:    200.50\nTransfer/sec: 1MB\n";
        assert_eq!(rate_told(good).ok(), Some(200.5));
        let refused = "  Non-2xx or 3xx responses: 12\nRequests/sec:    200.50\n";
        assert!(rate_told(refused).is_err_and(|failure| failure.to_string().contains("12")));
        assert!(rate_told("").is_err());
    }

    #[test]
    fn times_of_wrk_are_read() {
        assert_eq!(
            ["250.00us", "1.50ms", "2.00s", "x"].map(milliseconds_told),
            [Some(0.25), Some(1.5), Some(2_000.0), None]
        );
    }
}
