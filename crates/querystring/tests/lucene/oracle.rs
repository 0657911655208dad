//! The Java program that asks Lucene, compiled and run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// Where Debian puts the jars, and the parts of their names that are needed.
const JARS: &str = "/usr/share/java";
const PARTS: [&str; 4] =
    ["lucene-core-", "lucene-queryparser-", "lucene-analyzers-common-", "lucene-queries-"];

/// What Lucene says of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// `Query.toString()`.
    Query(String),
    /// It does not parse; the place in UTF-16 units, where the grammar found it.
    Refused(Option<usize>),
    /// A correct regular expression with too many states.
    TooComplex,
}

pub(crate) struct Oracle {
    class_path: String,
}

/// Compiles the program into the target folder.
///
/// # Errors
/// What is missing.
pub(crate) fn compile() -> Result<Oracle, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("parse-oracle");
    std::fs::create_dir_all(&folder).map_err(|error| format!("no folder for classes: {error}"))?;
    let mut class_path = folder.display().to_string();
    for part in PARTS {
        let jar =
            jar(part).ok_or_else(|| format!("no {part}8*.jar in {JARS}; it comes with liblucene8-java"))?;
        class_path = format!("{class_path}:{}", jar.display());
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle/ParseOracle.java");
    let compiled = Command::new("javac")
        .args(["-encoding", "UTF-8", "-cp", &class_path, "-d"])
        .args([&folder, &source])
        .output()
        .map_err(|error| format!("javac does not start: {error}"))?;
    // A program that does not compile is a mistake of ours and not something missing.
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    match Command::new("java").arg("-version").output() {
        Ok(_) => Ok(Oracle { class_path }),
        Err(error) => Err(format!("java does not start: {error}")),
    }
}

fn jar(part: &str) -> Option<PathBuf> {
    let mut jars: Vec<PathBuf> = std::fs::read_dir(JARS)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
            name.starts_with(&format!("{part}8")) && name.ends_with(".jar")
        })
        .collect();
    jars.sort();
    jars.pop()
}

impl Oracle {
    /// The answers: whole terms, split terms, neighbouring terms together.
    pub(crate) fn ask(&self, queries: &[String]) -> Vec<[Answer; 3]> {
        let mut java = Command::new("java")
            .args(["-Xss8m", "-cp", &self.class_path, "ParseOracle"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("java started a moment ago");
        let mut input = java.stdin.take().expect("the pipe was asked for");
        let lines: String = queries.iter().map(|query| hexadecimal(query) + "\n").collect();
        let writer = thread::spawn(move || input.write_all(lines.as_bytes()));
        let output = java.wait_with_output().expect("java runs to its end");
        writer.join().expect("the writer does not panic").expect("java reads all queries");
        assert!(output.status.success(), "the oracle failed");
        let text = String::from_utf8(output.stdout).expect("the oracle writes ASCII");
        text.lines()
            .map(|line| {
                let answers: Vec<Answer> = line.split('\t').map(answer).collect();
                answers.try_into().expect("three columns")
            })
            .collect()
    }
}

fn answer(column: &str) -> Answer {
    match column.split_at(1) {
        ("Q", digits) => Answer::Query(text(digits)),
        ("E", place) => Answer::Refused(place.parse().ok()),
        ("C", "") => Answer::TooComplex,
        _ => panic!("the oracle says {column:?}"),
    }
}

fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn text(digits: &str) -> String {
    let bytes = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("hexadecimal digits")
        })
        .collect();
    String::from_utf8(bytes).expect("the oracle writes UTF-8")
}
