//! How fast a source of any kind is read on this machine, and in how much memory.
//!
//! `cargo run --release -p muster-sources --example source_rate -- sources/directory.toml`

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use muster_sources::SourceDefinition;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("expected a definition file")?;
    let path = Path::new(&file);
    let definition = SourceDefinition::from_toml(&std::fs::read_to_string(path)?, path)?;
    let base_dir = path.parent().unwrap_or(Path::new("."));
    let start = Instant::now();
    let environment = |name: &str| std::env::var(name).ok();
    let mut reader = muster_sources::open_source(&definition, base_dir, &environment)?;
    let mut rows = 0;
    while let Some(batch) = reader.next_batch()? {
        rows += batch.records.num_rows();
    }
    let summary = reader.finish()?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{rows} rows, {} rejected, in {seconds:.2} s: {:.0} rows/s",
        summary.rejected,
        rows as f64 / seconds
    );
    if let Some(reason) = summary.incomplete_reason {
        println!("incomplete: {reason}");
    }
    // Linux says how much memory the process has had at most.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(line) = status.lines().find(|line| line.starts_with("VmHWM")) {
        println!("{line}");
    }
    Ok(())
}
