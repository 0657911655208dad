//! The documents found: by Lucene out of an index, by our predicate and by our reference one at a time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_querystring::matching::reference::{Fields, Reference};
use muster_querystring::matching::{FieldKind, FieldTest, Predicate, Resolver, lower};
use muster_querystring::{Clause, Expression, Value, parse};

use super::documents::{Document, FIELDS, documents};
use super::oracle::{hexadecimal, oracle, text};
use super::random::Random;
use super::searches::search;

const DOCUMENTS: usize = 150;
const QUERIES: usize = 22_000;

/// One of how many queries goes through the reference too.
const REFERENCE_EVERY: usize = 16;

/// How many disagreements are printed before giving up.
const SHOWN_MAX: usize = 40;

/// The fields of [`FIELDS`], each a text.
struct Schema;

impl Resolver for Schema {
    type Field = &'static str;

    fn named(&self, _: Option<&str>, name: &str) -> Vec<(&'static str, FieldKind)> {
        FIELDS.iter().filter(|field| **field == name).map(|field| (*field, FieldKind::Text)).collect()
    }

    fn unnamed(&self, _: Option<&str>) -> Vec<(&'static str, FieldKind)> {
        FIELDS.iter().map(|field| (*field, FieldKind::Text)).collect()
    }

    fn is_array(&self, _: &str) -> bool {
        false
    }
}

impl Fields for Schema {
    fn kind(&self, path: &str) -> Option<FieldKind> {
        FIELDS.contains(&path).then_some(FieldKind::Text)
    }

    fn names(&self) -> Vec<String> {
        FIELDS.iter().map(|field| (*field).to_owned()).collect()
    }

    fn is_array(&self, _: &str) -> bool {
        false
    }
}

fn satisfies(document: &Document, predicate: &Predicate<&'static str>) -> bool {
    match predicate {
        Predicate::All => true,
        Predicate::Nothing => false,
        Predicate::And(parts) => parts.iter().all(|part| satisfies(document, part)),
        Predicate::Or(parts) => parts.iter().any(|part| satisfies(document, part)),
        Predicate::Not(part) => !satisfies(document, part),
        Predicate::Nested { .. } => panic!("there are no arrays"),
        Predicate::Test { fields, test } => {
            let values = fields.iter().filter_map(|field| document.get(field)).flatten();
            values.into_iter().any(|value| match test {
                FieldTest::Text(test) => test.matches(value),
                FieldTest::Exists => true,
                FieldTest::Number(_) | FieldTest::Boolean(_) | FieldTest::Date(_) | FieldTest::Ranges(_) => {
                    panic!("all fields are texts")
                }
            })
        }
    }
}

#[test]
fn documents_found_are_those_of_lucene() {
    let Some(oracle) = oracle("MatchOracle") else {
        return;
    };
    let mut random = Random::new(0x0066_6f75_6e64);
    let documents = documents(&mut random, DOCUMENTS);
    let queries: Vec<String> = (0..QUERIES).map(|_| search(&mut random)).collect();
    let mut lines = String::new();
    for document in &documents {
        lines.push('D');
        for (field, values) in document {
            values.iter().for_each(|value| lines.push_str(&format!("\t{field}\t{}", hexadecimal(value))));
        }
        lines.push('\n');
    }
    queries.iter().for_each(|query| lines.push_str(&format!("Q\t{}\n", hexadecimal(query))));
    let answers = oracle.ask(&[&FIELDS.join(",")], lines);
    assert_eq!(answers.len(), queries.len(), "one answer for each query");

    let json: Vec<serde_json::Value> = documents.iter().map(|document| serde_json::json!(document)).collect();
    let now = DateTime::<Utc>::UNIX_EPOCH;
    let mut tally = Tally::default();
    for (number, (query, answer)) in queries.iter().zip(&answers).enumerate() {
        let tree = match parse(query) {
            Ok(tree) => tree,
            Err(error) => {
                // Expressions made of pieces are often none.
                tally.refused += 1;
                if !answer.starts_with('E') {
                    tally.disagree(query, &format!("we refuse ({error}), Lucene says {answer}"));
                }
                continue;
            }
        };
        if answer == "C" {
            tally.too_complex += 1;
            continue;
        }
        let lucene: Vec<usize> = match answer.strip_prefix('H') {
            Some(numbers) => numbers.split_whitespace().map(|n| n.parse().expect("a number")).collect(),
            None => {
                tally.disagree(query, &format!("Lucene refuses: {}", text(&answer[1..])));
                continue;
            }
        };
        let predicate = lower(&tree, &Schema, now).expect("nothing too complex is generated");
        let by_predicate = found(|number| satisfies(&documents[number], &predicate));
        tally.count(&tree.clauses);
        tally.compared += 1;
        tally.some += usize::from(!lucene.is_empty() && lucene.len() < DOCUMENTS);
        tally.compare("predicate", query, &lucene, &by_predicate);
        if number % REFERENCE_EVERY == 0 {
            let reference = Reference::new(&tree, &Schema, now).expect("nothing too complex is generated");
            tally.compare("reference", query, &lucene, &found(|number| reference.matches(&json[number])));
            tally.by_reference += 1;
        }
    }
    println!("{tally}");
    for disagreement in tally.disagreements.iter().take(SHOWN_MAX) {
        println!("{disagreement}");
    }
    assert!(tally.disagreements.is_empty(), "{} disagreements with Lucene", tally.disagreements.len());
    assert!(tally.compared > 20_000 && tally.some > tally.compared / 3, "many queries find some and not all");
}

fn found(matches: impl Fn(usize) -> bool) -> Vec<usize> {
    (0..DOCUMENTS).filter(|number| matches(*number)).collect()
}

/// The result of the comparison.
#[derive(Default)]
struct Tally {
    compared: usize,
    /// Of those, how many were also read by the reference, which is slow.
    by_reference: usize,
    /// Of those, how many find some documents and not all.
    some: usize,
    /// How many values of each kind are in queries that were compared.
    kinds: BTreeMap<&'static str, usize>,
    refused: usize,
    too_complex: usize,
    disagreements: Vec<String>,
}

impl Tally {
    fn compare(&mut self, who: &str, query: &str, lucene: &[usize], ours: &[usize]) {
        if ours != lucene {
            let only = |one: &[usize], other: &[usize]| -> Vec<usize> {
                one.iter().filter(|number| !other.contains(number)).copied().collect()
            };
            let (more, fewer) = (only(ours, lucene), only(lucene, ours));
            self.disagree(query, &format!("{who}: only ours {more:?}, only Lucene's {fewer:?}"));
        }
    }

    fn count(&mut self, clauses: &[Clause]) {
        for clause in clauses {
            let kind = match &clause.expression {
                Expression::Group(clauses) => {
                    self.count(clauses);
                    "group"
                }
                Expression::All | Expression::Exists(_) | Expression::Nested { .. } => "star",
                Expression::Match { value, .. } => match value {
                    Value::Term(_) => "term",
                    Value::Phrase { slop: 0, .. } => "phrase",
                    Value::Phrase { .. } => "phrase with slop",
                    Value::Prefix(_) => "prefix",
                    Value::Wildcard(_) => "wildcard",
                    Value::Fuzzy { .. } => "fuzzy",
                    Value::Regex(_) => "regular expression",
                    Value::Range { .. } => "range",
                },
            };
            *self.kinds.entry(kind).or_default() += 1;
        }
    }

    fn disagree(&mut self, query: &str, text: &str) {
        self.disagreements.push(format!("{query:?}\n    {text}"));
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(out, "compared {} queries, of which {} find some and not all", self.compared, self.some)?;
        writeln!(out, "of them {} by the reference too", self.by_reference)?;
        writeln!(out, "values in them: {:?}", self.kinds)?;
        writeln!(out, "refused: {}; too many states for Lucene: {}", self.refused, self.too_complex)?;
        write!(out, "disagreements: {}", self.disagreements.len())
    }
}
