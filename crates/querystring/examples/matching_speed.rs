//! How many texts a second each kind of test looks at: a million short ones, of which few pass.
//!
//! Run with `cargo run --release -p muster-querystring --example matching_speed`.

use std::time::Instant;

use muster_querystring::matching::{TextTest, TooComplex};
use muster_querystring::{Expression, SyntaxError, parse};

const TEXTS: usize = 1_000_000;

const FIRST: [&str; 8] = ["Anna", "Robert", "Maria", "John", "Wei", "Fatima", "Olga", "Pedro"];
const LAST: [&str; 8] = ["Smith", "Johnson", "Garcia", "Li", "Novak", "O'Neil", "Tanaka", "Silva"];
const WHERE: [&str; 5] = ["New York", "London", "Payroll Administrator", "Active Directory", "Ledger"];
const ACCENTED: [&str; 3] = ["José Muñoz", "Zoë Brontë", "Łukasz Wójcik"];

/// A text of three to five words; one in twenty is not ASCII.
fn text(number: usize) -> String {
    if number.is_multiple_of(20) {
        return format!("{} {} {number}", ACCENTED[number / 20 % 3], WHERE[number / 60 % 5]);
    }
    format!("{} {} {} {number}", FIRST[number % 8], LAST[number / 8 % 8], WHERE[number / 64 % 5])
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let texts: Vec<String> = (0..TEXTS).map(text).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    println!("{TEXTS} texts of {} bytes on average", bytes / TEXTS);
    for (kind, query) in [
        ("term", "garcia"),
        ("term that none has", "zebra"),
        ("phrase", "\"payroll administrator\""),
        ("phrase with slop", "\"garcia york\"~3"),
        ("prefix", "admin*"),
        ("wildcard", "*ministr?tor"),
        ("fuzzy, one edit", "garzia~1"),
        ("fuzzy, two edits", "johnsen~2"),
        ("regular expression", "/gar[a-z]+|le.*r/"),
        ("range", "[t TO u}"),
    ] {
        report(kind, &test(query, true)?, &texts);
    }
    report("whole term", &test("\"Ledger\"", false)?, &texts);
    report("whole wildcard", &test("*Administrator*", false)?, &texts);
    report("whole regular expression", &test("/Anna .*[0-9]{5}/", false)?, &texts);
    Ok(())
}

fn test(query: &str, analysed: bool) -> Result<TextTest, Box<dyn std::error::Error>> {
    let tree = parse(query).map_err(|error: SyntaxError| error.to_string())?;
    let Some(Expression::Match { value, .. }) = tree.clauses.first().map(|clause| &clause.expression) else {
        return Err("expected a query of one value".into());
    };
    let compiled = if analysed { TextTest::analysed(value) } else { TextTest::exact(value).map(Some) };
    compiled.map_err(|problem: TooComplex| problem.to_string())?.ok_or_else(|| "no words in it".into())
}

fn report(kind: &str, test: &TextTest, texts: &[String]) {
    let start = Instant::now();
    let passed = texts.iter().filter(|text| test.matches(text)).count();
    let seconds = start.elapsed().as_secs_f64();
    println!("{kind:>26}: {:>6.1} million a second, {passed} pass", texts.len() as f64 / seconds / 1e6);
}
