//! Generated queries over generated documents: the results of plans must equal the results of reading one document at a
//! time.
//!
//! A source provides the documents, so the reference reads the original documents and not what the engine derives from
//! them.

use crate::installation::Installation;
use muster_querystring::matching::FieldKind;
use muster_querystring::matching::reference::{Fields, Reference};
use muster_reports::ports::Clock;
use serde_json::{Value, json};

const SOURCE: &str = r#"
name = "People"
kind = "documents"
[documents]
path = "people.ndjson"
index = "identities"
"#;
const DOCUMENTS: u64 = 250;
const QUERIES: usize = 1_200;

/// Pseudo-random numbers from a seed (splitmix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.next(of.len() as u64)).unwrap()]
    }
}

const WORDS: [&str; 12] = [
    "london",
    "London",
    "new york",
    "york",
    "smith",
    "Smith-Jones",
    "o'hara",
    "müller",
    "sales team",
    "a1",
    "Über",
    "x",
];
const SOURCES: [&str; 3] = ["Active Directory", "HR Global", "active"];

fn document(number: u64, draw: &mut Draw) -> Value {
    let mut person = json!({ "id": format!("p{number}") });
    for field in ["name", "displayName", "email"] {
        if draw.next(4) > 0 {
            person[field] = json!(draw.one(&WORDS));
        }
    }
    if draw.next(3) > 0 {
        person["disabled"] = json!(draw.next(2) == 0);
    }
    if draw.next(3) > 0 {
        person["accountCount"] = json!(draw.next(5));
    }
    if draw.next(3) > 0 {
        person["created"] = json!(format!("2020-0{}-1{}T10:00:00.000Z", 1 + draw.next(3), draw.next(3)));
    }
    let mut attributes = json!({});
    for name in ["city", "costCentre", "a.b"] {
        match draw.next(4) {
            0 => attributes[name] = json!([draw.one(&WORDS), draw.one(&WORDS)]),
            1 | 2 => attributes[name] = json!(draw.one(&WORDS)),
            _ => {}
        }
    }
    match draw.next(6) {
        0 => attributes["start"] = json!(format!("2020-0{}-1{}", 1 + draw.next(3), draw.next(3))),
        1 => attributes["start"] = json!(format!("2020-0{}-11T23:30:00-05:00", 1 + draw.next(3))),
        2 => attributes["start"] = json!(["11/02/2020", format!("2020-01-1{}", draw.next(3))]),
        3 => attributes["start"] = json!(format!("{}.5", draw.next(4))),
        4 => attributes["start"] = json!(draw.next(12).to_string()),
        _ => {}
    }
    person["attributes"] = attributes;
    let accounts: Vec<Value> = (0..draw.next(4))
        .map(|at| {
            let mut account = json!({ "id": format!("a{number}x{at}"), "disabled": draw.next(2) == 0 });
            account["source"] = json!({ "name": draw.one(&SOURCES) });
            if draw.next(3) > 0 {
                account["name"] = json!(draw.one(&WORDS));
            }
            account
        })
        .collect();
    person["accounts"] = json!(accounts);
    person
}

/// The fields that the documents have.
struct Known;

const NAMES: [(&str, FieldKind); 12] = [
    ("id", FieldKind::Keyword),
    ("name", FieldKind::Text),
    ("displayName", FieldKind::Text),
    ("email", FieldKind::Text),
    ("disabled", FieldKind::Boolean),
    ("accountCount", FieldKind::Integer),
    ("created", FieldKind::Date),
    ("attributes.*", FieldKind::Free),
    ("accounts.id", FieldKind::Keyword),
    ("accounts.name", FieldKind::Text),
    ("accounts.disabled", FieldKind::Boolean),
    ("accounts.source.name", FieldKind::Text),
];

impl Fields for Known {
    fn kind(&self, path: &str) -> Option<FieldKind> {
        if path.starts_with("attributes.") {
            return Some(FieldKind::Free);
        }
        NAMES.iter().find(|(name, _)| *name == path).map(|(_, kind)| *kind)
    }

    fn names(&self) -> Vec<String> {
        NAMES.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    fn is_array(&self, path: &str) -> bool {
        path == "accounts"
    }
}

fn value(draw: &mut Draw) -> String {
    match draw.next(13) {
        0 => format!("\"{}\"", draw.one(&WORDS)),
        1 => format!("\"{} {}\"~2", draw.one(&["york", "team"]), draw.one(&["new", "sales"])),
        2 => draw.one(&["lon*", "*", "s*", "a*"]).to_owned(),
        3 => draw.one(&["*ork", "?1", "sm?th*", "*"]).to_owned(),
        4 => draw.one(&["lomdon~1", "smiht~", "muller~1"]).to_owned(),
        5 => draw.one(&["/lon.*/", "/[a-m].*/", "/~(london)/"]).to_owned(),
        6 => draw.one(&["[a TO m}", "{london TO *]", "[1 TO 3]", "[2020-01-11 TO 2020-02-11]"]).to_owned(),
        7 => draw.one(&["true", "false", "0", "3", ">1", "<=2", "abc"]).to_owned(),
        8 => draw.one(&["2020-01-10", "2020-02-11||/M", "\"2020-03-12\"", "2020-02-12"]).to_owned(),
        9 => draw
            .one(&[
                "<2020-02-01",
                ">=2020-02-12",
                "[now-7y TO 2020-02-11]",
                "<now",
                "[1 TO 2.5}",
                "(york 2020-01-11 >9)",
            ])
            .to_owned(),
        _ => draw
            .one(&["london", "york", "smith", "jones", "hara", "müller", "team", "a1", "x", "zzz"])
            .to_owned(),
    }
}

fn clause(draw: &mut Draw, depth: u64, nested: bool) -> String {
    let fields: &[&str] = if nested {
        &["name", "disabled", "source.name", "id", "source.\\*", "nothing"]
    } else {
        &[
            "name",
            "displayName",
            "email",
            "name.exact",
            "disabled",
            "accountCount",
            "created",
            "attributes.city",
            "attributes.start",
            "attributes.start",
            "attributes.start.exact",
            "id.exact",
            "attributes.costCentre",
            "attributes.a.b",
            "attributes.\\*",
            "\\*ame",
            "accounts.name",
            "accounts.disabled",
            "accounts.source.name",
            "accounts",
            "attributes",
            "attributes.city.exact",
            "nothing",
        ]
    };
    match draw.next(10) {
        0 if depth > 0 => format!("({})", list(draw, depth - 1, nested)),
        1 if depth > 0 => format!("{}:({})", draw.one(fields), list(draw, 0, nested)),
        2 | 3 if !nested => format!("@accounts({})", list(draw, depth.min(1), true)),
        4 => format!("_exists_:{}", draw.one(fields)),
        5 => {
            let word = value(draw);
            // A comparison sign without quotes is allowed after a field only.
            word.trim_start_matches(['>', '<', '=']).to_owned()
        }
        _ => format!("{}:{}", draw.one(fields), value(draw)),
    }
}

fn list(draw: &mut Draw, depth: u64, nested: bool) -> String {
    let mut text = String::new();
    for at in 0..=draw.next(3) {
        if at > 0 {
            text.push_str(draw.one(&[" ", " AND ", " OR ", " AND "]));
        }
        text.push_str(draw.one(&["", "", "", "NOT ", "+", "-"]));
        text.push_str(&clause(draw, depth, nested));
    }
    text
}

#[test]
fn plans_find_what_reading_every_document_finds() {
    let mut draw = Draw(20_261_124);
    let documents: Vec<Value> = (0..DOCUMENTS).map(|number| document(number, &mut draw)).collect();
    let lines: Vec<_> = documents.iter().map(Value::to_string).collect();
    let mut installation = Installation::new();
    installation.source(SOURCE, "people.ndjson", &lines.join("\n"));
    let outcome = installation.refresh();
    assert_eq!((outcome.sources[0].run.read, outcome.sources[0].run.rejected), (DOCUMENTS, 0));
    let (mut compared, mut found_some) = (0, 0);
    while compared < QUERIES {
        let text = list(&mut draw, 2, false);
        let Ok(query) = muster_querystring::parse(&text) else { continue };
        let reference = Reference::new(&query, &Known, installation.clock.now()).unwrap();
        let mut expected: Vec<_> = documents
            .iter()
            .filter(|document| reference.matches(document))
            .map(|document| document["id"].as_str().unwrap())
            .collect();
        expected.sort_unstable();
        let found = installation.search(&text, |request| request.indices = vec!["identities".into()]);
        assert_eq!(found.files["identities"].column("id"), expected, "{text}");
        compared += 1;
        found_some += usize::from(!expected.is_empty() && expected.len() < documents.len());
    }
    println!("{compared} queries compared; {found_some} of them find some of the documents and not all");
    assert!(found_some * 3 > compared, "too few queries tell anything: {found_some} of {compared}");
}
