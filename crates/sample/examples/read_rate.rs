//! How fast a sample organisation is written and read on this machine.
//!
//! `cargo run --release -p muster-sample --example read_rate -- 100000`

use std::error::Error;
use std::time::Instant;

use muster_sample::{Options, generate};
use muster_sources::SourceDefinition;

fn main() -> Result<(), Box<dyn Error>> {
    let identities = std::env::args().nth(1).as_deref().unwrap_or("100000").parse()?;
    let folder = tempfile::tempdir()?;
    let start = Instant::now();
    let summary = generate(folder.path(), Options { identities, ..Options::default() })?;
    let seconds = start.elapsed().as_secs_f64();
    let rows: u64 = summary.sources.iter().map(|source| source.rows).sum();
    println!("{rows} rows written in {seconds:.2} s: {:.2} million rows/s", rows as f64 / seconds / 1e6);

    let start = Instant::now();
    let (mut read, mut bytes) = (0, 0);
    for source in &summary.sources {
        let path = folder.path().join(&source.definition);
        let definition = SourceDefinition::from_toml(&std::fs::read_to_string(&path)?, &path)?;
        let mut reader = muster_sources::open(&definition, folder.path())?;
        while reader.next_batch()?.is_some() {}
        let end = reader.finish()?;
        read += end.read;
        bytes += end.bytes;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{read} rows, {bytes} bytes read in {seconds:.2} s: {:.2} million rows/s, {:.0} MB/s",
        read as f64 / seconds / 1e6,
        bytes as f64 / seconds / 1e6
    );
    Ok(())
}
