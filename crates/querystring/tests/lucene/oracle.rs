//! The Java programs that ask Lucene, compiled and run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

/// Where Debian puts the jars, and the parts of their names that are needed.
const JARS: &str = "/usr/share/java";
const PARTS: [&str; 5] =
    ["lucene-core-", "lucene-queryparser-", "lucene-analyzers-common-", "lucene-queries-", "lucene-sandbox-"];

pub(crate) struct Oracle {
    program: &'static str,
    class_path: String,
}

/// The program of this name, or `None` after saying that it is skipped because something is missing.
///
/// # Panics
/// If `MUSTER_REQUIRE_LUCENE=1` says that nothing may be missing.
pub(crate) fn oracle(program: &'static str) -> Option<Oracle> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let required = std::env::var("MUSTER_REQUIRE_LUCENE").is_ok_and(|value| value == "1");
    match compile(program) {
        Ok(oracle) => Some(oracle),
        Err(reason) if required => panic!("Lucene is required here: {reason}"),
        Err(reason) => {
            println!("SKIPPED: {reason}");
            None
        }
    }
}

/// Compiles a program into the target folder.
///
/// # Errors
/// What is missing.
fn compile(program: &'static str) -> Result<Oracle, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(program);
    std::fs::create_dir_all(&folder).map_err(|error| format!("no folder for classes: {error}"))?;
    let mut class_path = folder.display().to_string();
    for part in PARTS {
        let jar =
            jar(part).ok_or_else(|| format!("no {part}8*.jar in {JARS}; it comes with liblucene8-java"))?;
        class_path = format!("{class_path}:{}", jar.display());
    }
    let source = PathBuf::from(format!("oracle/{program}.java"));
    let compiled = Command::new("javac")
        .args(["-encoding", "UTF-8", "-cp", &class_path, "-d"])
        .args([&folder, &source])
        .output()
        .map_err(|error| format!("javac does not start: {error}"))?;
    // A program that does not compile is a mistake of ours and not something missing.
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    match Command::new("java").arg("-version").output() {
        Ok(_) => Ok(Oracle { program, class_path }),
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
    /// What the program answers to these lines, line by line.
    pub(crate) fn ask(&self, arguments: &[&str], lines: String) -> Vec<String> {
        let mut java = Command::new("java")
            .args(["-Xss8m", "-cp", &self.class_path, self.program])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("java started a moment ago");
        let mut input = java.stdin.take().expect("the pipe was asked for");
        let writer = thread::spawn(move || input.write_all(lines.as_bytes()));
        let output = java.wait_with_output().expect("java runs to its end");
        writer.join().expect("the writer does not panic").expect("java reads all lines");
        assert!(output.status.success(), "the oracle failed");
        let text = String::from_utf8(output.stdout).expect("the oracle writes ASCII");
        text.lines().map(str::to_owned).collect()
    }
}

/// A text as hexadecimal UTF-8.
pub(crate) fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The text of hexadecimal UTF-8.
pub(crate) fn text(digits: &str) -> String {
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
