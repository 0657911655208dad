//! The programs that read what was written.

use std::io::Write;
use std::process::Command;

use super::sample::without_spaces;

/// A file with these bytes, for programs that want one.
fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".pdf").tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// The output of a program, `None` where it is missing.
fn run(command: &mut Command, what: &str) -> Option<std::process::Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            let required = std::env::var_os("MUSTER_REQUIRE_TOOLS").is_some_and(|value| value == "1");
            assert!(!required, "{what} is required: {error}");
            println!("SKIPPED: no {what}");
            None
        }
    }
}

/// Structure, streams and cross-references are sound.
pub fn qpdf_check(bytes: &[u8]) {
    let file = file(bytes);
    let Some(output) = run(Command::new("qpdf").arg("--check").arg(file.path()), "qpdf") else { return };
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("No syntax or stream encoding errors found"), "{text}");
}

/// All text without spaces and line ends, in the order in which it was written, or in that in which it is read.
pub fn words(bytes: &[u8], order: &str) -> Option<String> {
    text(bytes, order).map(|text| without_spaces(&text))
}

/// As [`words`], with the spaces between them and the ends of lines.
pub fn text(bytes: &[u8], order: &str) -> Option<String> {
    let file = file(bytes);
    let mut command = Command::new("pdftotext");
    command.args([order, "-enc", "UTF-8"]).arg(file.path()).arg("-");
    let output = run(&mut command, "pdftotext")?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Whether the first page is higher than wide.
pub fn is_upright(bytes: &[u8]) -> Option<bool> {
    let file = file(bytes);
    let output = run(Command::new("pdfinfo").arg(file.path()), "pdfinfo")?;
    let text = String::from_utf8(output.stdout).unwrap();
    let size = text.lines().find_map(|line| line.strip_prefix("Page size:")).unwrap();
    let sides: Vec<f32> = size.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    Some(sides[1] > sides[0])
}

/// The tags, indented, in the order in which they are read aloud.
pub fn structure(bytes: &[u8]) -> Option<String> {
    let file = file(bytes);
    let output = run(Command::new("pdfinfo").arg("-struct").arg(file.path()), "pdfinfo")?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The file keeps every rule of a standard, `2a` for PDF/A-2a and `ua1` for PDF/UA-1.
pub fn conforms(bytes: &[u8], standard: &str) {
    let python = std::env::var("MUSTER_PDF_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = "import sys\n\
                  try:\n    import page\n\
                  except ImportError:\n    sys.exit(77)\n\
                  report = page.validate_pdf(sys.argv[1], profile=sys.argv[2])\n\
                  for failure in report.failures[:20]:\n    print(failure.rule_id, failure.message)\n\
                  sys.exit(0 if report.is_compliant else 1)";
    let file = file(bytes);
    let mut command = Command::new(python);
    command.args(["-c", script]).arg(file.path()).arg(standard);
    let Some(output) = run(&mut command, "python3") else { return };
    if output.status.code() == Some(77) {
        let required = std::env::var_os("MUSTER_REQUIRE_TOOLS").is_some_and(|value| value == "1");
        assert!(!required, "the Python package page-validation is required");
        println!("SKIPPED: no Python package page-validation");
        return;
    }
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{standard}: {text}");
}

/// The text as it looks on its pages, a form feed after each page.
pub fn layout(bytes: &[u8]) -> Option<String> {
    pages(bytes, "-layout")
}

fn pages(bytes: &[u8], order: &str) -> Option<String> {
    let file = file(bytes);
    let mut command = Command::new("pdftotext");
    command.args([order, "-enc", "UTF-8"]).arg(file.path()).arg("-");
    let output = run(&mut command, "pdftotext")?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// How many pages the cover has: the table's first page says "Page 1 of".
pub fn cover_pages(bytes: &[u8]) -> Option<u64> {
    // Much faster than the text as it looks.
    let pages = pages(bytes, "-raw")?;
    let first =
        pages.split('\u{c}').position(|page| page.lines().any(|line| line.trim().starts_with("Page 1 of")));
    Some(first.unwrap() as u64)
}

/// The sizes of all text on pages and in forms, in points.
pub fn text_sizes(bytes: &[u8]) -> Option<Vec<f32>> {
    let file = file(bytes);
    let mut command = Command::new("qpdf");
    command.args(["--qdf", "--object-streams=disable"]).arg(file.path()).arg("-");
    let output = run(&mut command, "qpdf")?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let sizes =
        text.lines().filter_map(|line| line.strip_suffix(" Tf")?.split(' ').nth_back(0)?.parse().ok());
    Some(sizes.collect())
}
