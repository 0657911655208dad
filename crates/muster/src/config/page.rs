//! docs/settings.md, written from the declarations. The prose around its tables is in `page.txt`.

use super::declared::Key;
use super::{Guards, Issuer, Settings};
use serde::Serialize;
use serde_json::{Value, json};

const PROSE: &str = include_str!("page.txt");

/// The page.
fn page() -> String {
    let defaults = values(&Settings::default());
    let sections = Settings::SECTIONS.iter();
    let settings: String = sections
        .map(|(section, keys)| rows(&format!("{section}."), keys, &defaults[*section], "none"))
        .collect();
    let guards = rows("refresh.guards.", Guards::KEYS, &values(&Guards::default()), "none");
    let issuer = rows("", Issuer::KEYS, &values(&Issuer::default()), "required");
    PROSE.replace("{settings}\n", &settings).replace("{guards}\n", &guards).replace("{issuer}\n", &issuer)
}

fn values(defaults: &impl Serialize) -> Value {
    serde_json::to_value(defaults).expect("settings are plain values")
}

/// A row for each key. `empty` is what an empty text or list means.
fn rows(section: &str, keys: &[Key], defaults: &Value, empty: &str) -> String {
    let row = |key: &Key| {
        let default = shown(&defaults[key.name], empty);
        format!("| `{section}{}` | {default} | {} | {} |\n", key.name, type_words(key), meaning(key))
    };
    keys.iter().map(row).collect()
}

fn shown(default: &Value, empty: &str) -> String {
    if default.is_null() || *default == json!({}) {
        "none".to_owned()
    } else if default.is_object() {
        "see below".to_owned()
    } else if *default == json!("") || *default == json!([]) {
        empty.to_owned()
    } else {
        format!("`{}`", default.as_str().map_or_else(|| default.to_string(), str::to_owned))
    }
}

fn type_words(key: &Key) -> &'static str {
    match key.type_name.replace(' ', "").as_str() {
        "u32" | "u64" | "usize" if key.name.ends_with("_ms") => "milliseconds",
        "u32" | "u64" | "usize" if key.name.ends_with("_s") => "seconds",
        "u32" | "u64" | "usize" | "Option<u32>" if key.name.ends_with("_days") => "days",
        "u32" | "u64" | "usize" | "Option<u16>" => "number",
        "Option<Ratio>" => "number from 0 to 1",
        "bool" => "true or false",
        "ByteSize" => "bytes",
        "String" | "Option<String>" => "text",
        "SocketAddr" | "Option<SocketAddr>" => "address and port",
        "Option<PostgresUrl>" => "URL",
        "PathBuf" | "Option<PathBuf>" => "path",
        "AuditedDownloads" | "Callers" | "CsvHeader" | "LogFormat" | "MailTls" | "PdfPaper"
        | "SignInToken" => "word",
        "Option<Vec<PathBuf>>" => "list of paths",
        "Vec<String>" => "list of texts",
        "Vec<SignatureAlgorithm>" => "list of words",
        "Vec<Issuer>" => "list of tables",
        "BTreeMap<String,String>"
        | "BTreeMap<String,Scope>"
        | "BTreeMap<String,UserLevel>"
        | "Guards"
        | "KafkaProperties" => "table",
        "Limit" => "number, percentage or `none`",
        other => panic!("{}: the type {other} has no words yet", key.name),
    }
}

/// The documentation of a key on one line, with links to the documents that it names.
fn meaning(key: &Key) -> String {
    let word = |word: &str| {
        let name = word.trim_end_matches('.');
        match name.strip_prefix("docs/") {
            Some(page) => format!("[{page}]({page}){}", &word[name.len()..]),
            None => word.to_owned(),
        }
    };
    let words: Vec<_> = key.meaning.split_whitespace().map(word).collect();
    words.join(" ").replace('|', "\\|")
}

#[test]
fn the_page_of_settings() {
    muster_testkit::generated_docs::check("docs/settings.md", &page());
}

#[test]
fn a_default_is_shown_as_a_file_would_have_it() {
    for (default, expected) in [
        (json!(null), "none"),
        (json!({}), "none"),
        (json!([]), "required"),
        (json!(""), "required"),
        (json!("a4"), "`a4`"),
        (json!(10_000), "`10000`"),
        (json!(["scope", "scp"]), "`[\"scope\",\"scp\"]`"),
    ] {
        assert_eq!(shown(&default, "required"), expected);
    }
}

#[test]
fn a_document_that_a_meaning_names_is_a_link() {
    let key =
        Key { name: "a", type_name: "bool", meaning: " One | two. See\n docs/audit.md. `docs` is a folder." };
    assert_eq!(meaning(&key), "One \\| two. See [audit.md](audit.md). `docs` is a folder.");
}
