//! How fast sources are read on this machine, and in how much memory.
//!
//! `cargo run --release -p muster-sources --example source_rate -- make 1000000 FOLDER` writes accounts in each form of
//! file, with a definition for each; `... --example source_rate -- FILE.toml ...` reads sources, each in a process of its
//! own. Databases and services are filled from the same accounts by hand; docs/sources.md has what was measured.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder};
use muster_sources::SourceDefinition;
use parquet::arrow::ArrowWriter;

/// Accounts written at a time.
const CHUNK: usize = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", count, folder] => make(count.parse()?, Path::new(folder)),
        ["one", file] => read(Path::new(file)),
        [] => Err("expected `make COUNT FOLDER`, or definition files".into()),
        ref files => {
            for file in files {
                let status = Command::new(std::env::current_exe()?).args(["one", file]).status()?;
                if !status.success() {
                    return Err(format!("{file} could not be read").into());
                }
            }
            Ok(())
        }
    }
}

/// Ten columns, one of them with two values.
fn make(count: usize, folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let mut csv = BufWriter::new(File::create(folder.join("people.csv"))?);
    let mut ndjson = BufWriter::new(File::create(folder.join("people.ndjson"))?);
    writeln!(csv, "id,login,first,last,mail,department,title,city,active,groups")?;
    let mut parquet = None;
    for first in (0..count).step_by(CHUNK) {
        let numbers = first..count.min(first + CHUNK);
        for n in numbers.clone() {
            let (login, mail, active) = (format!("user{n}"), format!("user{n}@example.org"), n % 20 != 0);
            let (department, city) = (format!("Department {}", n % 97), format!("City {}", n % 31));
            let groups = [format!("group-{}", n % 211), "everybody".to_owned()];
            writeln!(
                csv,
                "{n},{login},First{n},Last{n},{mail},{department},Clerk,{city},{active},{};{}",
                groups[0], groups[1]
            )?;
            writeln!(
                ndjson,
                "{{\"id\":{n},\"login\":\"{login}\",\"first\":\"First{n}\",\"last\":\"Last{n}\",\"mail\":\"{mail}\",\
                 \"department\":\"{department}\",\"title\":\"Clerk\",\"city\":\"{city}\",\"active\":{active},\
                 \"groups\":[\"{}\",\"{}\"]}}",
                groups[0], groups[1]
            )?;
        }
        let batch = batch(numbers)?;
        if parquet.is_none() {
            let file = File::create(folder.join("people.parquet"))?;
            parquet = Some(ArrowWriter::try_new(file, batch.schema(), None)?);
        }
        parquet.as_mut().expect("it was made above").write(&batch)?;
    }
    csv.flush()?;
    ndjson.flush()?;
    if let Some(parquet) = parquet {
        parquet.close()?;
    }
    for kind in ["delimited", "ndjson", "parquet"] {
        let (ending, table) = if kind == "delimited" {
            let list = "multi_valued = [\"groups\"]\nname_column = \"login\"\n";
            ("csv", format!("native_identity = \"id\"\nentitlements = [\"groups\"]\n{list}"))
        } else {
            (
                kind,
                format!(
                    "[{kind}.account]\nnative_identity = \"id\"\nname = \"login\"\nentitlements = [\"groups\"]\n"
                ),
            )
        };
        let text =
            format!("name = \"{kind}\"\nkind = \"{kind}\"\n[{kind}]\npath = \"people.{ending}\"\n{table}");
        std::fs::write(folder.join(format!("{kind}.toml")), text)?;
    }
    Ok(())
}

fn batch(numbers: std::ops::Range<usize>) -> Result<RecordBatch, Box<dyn Error>> {
    let text = |make: &dyn Fn(usize, &mut String)| -> ArrayRef {
        let texts = numbers.clone().map(|n| {
            let mut text = String::new();
            make(n, &mut text);
            text
        });
        Arc::new(StringArray::from_iter_values(texts))
    };
    let column = |prefix: &'static str, modulus: usize| {
        text(&|n, text| write!(text, "{prefix}{}", n % modulus).expect("a text takes everything"))
    };
    let mut groups = ListBuilder::new(StringBuilder::new());
    for n in numbers.clone() {
        groups.values().append_value(format!("group-{}", n % 211));
        groups.values().append_value("everybody");
        groups.append(true);
    }
    let ids = numbers.clone().map(i64::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(ids)) as ArrayRef),
        ("login", column("user", usize::MAX)),
        ("first", column("First", usize::MAX)),
        ("last", column("Last", usize::MAX)),
        ("mail", text(&|n, text| write!(text, "user{n}@example.org").expect("a text takes everything"))),
        ("department", column("Department ", 97)),
        ("title", text(&|_, text| text.push_str("Clerk"))),
        ("city", column("City ", 31)),
        ("active", text(&|n, text| text.push_str(if n % 20 == 0 { "false" } else { "true" }))),
        ("groups", Arc::new(groups.finish())),
    ])?)
}

fn read(path: &Path) -> Result<(), Box<dyn Error>> {
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
    let rate = rows as f64 / seconds;
    print!(
        "{}: {rows} rows, {} rejected, {seconds:.2} s, {rate:.0} rows/s",
        definition.name, summary.rejected
    );
    // Linux says how much memory the process has had at most.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
        print!(", peak {}", peak.trim());
    }
    println!();
    if let Some(reason) = summary.incomplete_reason {
        println!("incomplete: {reason}");
    }
    Ok(())
}
