//! Differential test: the same queries through this crate and through Lucene's classic query parser.
//!
//! The queries are generated from a fixed seed, correct and broken ones. Lucene's side is
//! `oracle/ParseOracle.java`, compiled here against the jars of Debian's `liblucene8-java`. Our trees are
//! written in the form of Lucene's `Query.toString()`, and compared as text; for broken queries the place of
//! the mistake is compared too. Where Elasticsearch differs from Lucene on purpose, a [`Rule`] says so.
//!
//! Without Java or the jars the test says `SKIPPED` and passes; with `MUSTER_REQUIRE_LUCENE=1` it fails.

mod lucene {
    pub(crate) mod generator;
    pub(crate) mod oracle;
    pub(crate) mod render;
    pub(crate) mod rules;
}

use std::collections::BTreeMap;

use lucene::generator::Generator;
use lucene::oracle::{self, Answer};
use lucene::render::{Analysis, render};
use lucene::rules::{Rule, rule_for};
use muster_querystring::{Problem, parse};

/// How many queries are compared.
const QUERIES: usize = 30_000;

/// How many disagreements are printed before giving up.
const SHOWN_MAX: usize = 40;

#[test]
fn agrees_with_lucene() {
    let required = std::env::var("MUSTER_REQUIRE_LUCENE").is_ok_and(|value| value == "1");
    let oracle = match oracle::compile() {
        Ok(oracle) => oracle,
        Err(reason) if required => panic!("Lucene is required here: {reason}"),
        Err(reason) => {
            println!("SKIPPED: {reason}");
            return;
        }
    };

    let mut generator = Generator::new(0x6d75_7374_6572);
    let queries: Vec<String> = (0..QUERIES).map(|_| generator.query()).collect();
    let answers = oracle.ask(&queries);
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
    // A generator that went astray would agree about nothing much.
    assert!(tally.both_accept > QUERIES / 4 && tally.both_refuse > QUERIES / 8, "a healthy share of each");
}

/// What came of the comparison.
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
