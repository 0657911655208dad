//! The trees: our tree of a query in the form of Lucene's `Query.toString()`, and the place of a mistake.

use std::collections::BTreeMap;

use muster_querystring::{Problem, parse};

use super::generator::Generator;
use super::oracle::{Oracle, hexadecimal, oracle, text};
use super::render::{Analysis, render};
use super::rules::{Rule, rule_for};

/// How many queries are compared.
const QUERIES: usize = 30_000;

/// How many disagreements are printed before giving up.
const SHOWN_MAX: usize = 40;

#[test]
fn trees_are_those_of_lucene() {
    let Some(oracle) = oracle("ParseOracle") else {
        return;
    };

    let mut generator = Generator::new(0x6d75_7374_6572);
    let queries: Vec<String> = (0..QUERIES).map(|_| generator.query()).collect();
    let answers = ask(&oracle, &queries);
    assert_eq!(answers.len(), queries.len(), "one answer for each query");

    let mut tally = Tally::default();
    for (query, answers) in queries.iter().zip(&answers) {
        tally.compare(query, answers);
    }
    println!("{tally}");
    for disagreement in tally.disagreements.iter().take(SHOWN_MAX) {
        println!("{disagreement}");
    }
    assert!(tally.disagreements.is_empty(), "{} disagreements with Lucene", tally.disagreements.len());
    // Without this a generator that makes only trivial queries would pass.
    assert!(tally.both_accept > QUERIES / 4 && tally.both_refuse > QUERIES / 8, "a healthy share of each");
}

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

/// The answers: whole terms, split terms, neighbouring terms together.
fn ask(oracle: &Oracle, queries: &[String]) -> Vec<[Answer; 3]> {
    let lines = queries.iter().map(|query| hexadecimal(query) + "\n").collect();
    let columns = |line: String| -> Vec<Answer> { line.split('\t').map(answer).collect() };
    let answers = oracle.ask(&[], lines).into_iter();
    answers.map(|line| columns(line).try_into().expect("three columns")).collect()
}

fn answer(column: &str) -> Answer {
    match column.split_at(1) {
        ("Q", digits) => Answer::Query(text(digits)),
        ("E", place) => Answer::Refused(place.parse().ok()),
        ("C", "") => Answer::TooComplex,
        _ => panic!("the oracle says {column:?}"),
    }
}

/// The result of the comparison.
#[derive(Default)]
struct Tally {
    compared: usize,
    both_accept: usize,
    both_refuse: usize,
    /// Of those refused by both, how many were compared by place too.
    places: usize,
    /// Trees compared with terms split at white space, and with neighbouring terms analysed together.
    split: usize,
    joined: usize,
    excluded: BTreeMap<Rule, usize>,
    too_complex: usize,
    disagreements: Vec<String>,
}

impl Tally {
    fn compare(&mut self, query: &str, answers: &[Answer; 3]) {
        let ours = parse(query);
        let [whole, split, joined] = answers;
        if *whole == Answer::TooComplex {
            self.too_complex += 1;
            return;
        }
        if let Some(rule) = rule_for(query, &ours) {
            *self.excluded.entry(rule).or_default() += 1;
            return;
        }
        self.compared += 1;
        match (&ours, whole) {
            (Ok(tree), Answer::Query(expected)) => {
                self.both_accept += 1;
                self.same(query, "whole", &render(query, tree, Analysis::Whole), expected);
                let rendered = render(query, tree, Analysis::Split);
                if let Answer::Query(expected) = split {
                    self.split += 1;
                    self.same(query, "split", &rendered.text, expected);
                }
                if let (Answer::Query(expected), true) = (joined, rendered.one_token_a_term) {
                    self.joined += 1;
                    self.same(query, "joined", &rendered.text, expected);
                }
            }
            (Err(error), Answer::Refused(place)) => {
                self.both_refuse += 1;
                let by_grammar = matches!(
                    error.problem,
                    Problem::Unexpected { .. } | Problem::UnclosedGroup { .. } | Problem::UnclosedRange
                );
                if let (true, Some(place)) = (by_grammar, place) {
                    self.places += 1;
                    let ours = query[..error.offset].encode_utf16().count();
                    if ours != *place {
                        self.disagree(query, &format!("we refuse at {ours} ({error}), Lucene at {place}"));
                    }
                }
            }
            (Ok(_), other) => self.disagree(query, &format!("we accept, Lucene says {other:?}")),
            (Err(error), other) => {
                self.disagree(query, &format!("we refuse ({error}), Lucene says {other:?}"))
            }
        }
    }

    fn same(&mut self, query: &str, how: &str, ours: &impl AsRef<str>, expected: &str) {
        if ours.as_ref() != expected {
            self.disagree(
                query,
                &format!("{how}: ours   {:?}\n    {how}: lucene {expected:?}", ours.as_ref()),
            );
        }
    }

    fn disagree(&mut self, query: &str, text: &str) {
        self.disagreements.push(format!("{query:?}\n    {text}"));
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            out,
            "compared {}: both accept {}, both refuse {} ({} of them by place)",
            self.compared, self.both_accept, self.both_refuse, self.places
        )?;
        writeln!(out, "of the accepted, {} also split at white space, {} joined", self.split, self.joined)?;
        writeln!(out, "not compared: {} regular expressions with too many states", self.too_complex)?;
        for (rule, count) in &self.excluded {
            writeln!(out, "excluded by rule: {count} {}", rule.reason())?;
        }
        write!(out, "disagreements: {}", self.disagreements.len())
    }
}
