//! `muster source init`: a definition for a delimited file, from what the file's beginning looks like.
//!
//! What is written is a definition that can be read, with remarks about what was found. A person looks at it: a column that
//! is unique in a sample may not be unique in the file.

use crate::cli::InitArgs;
use crate::failure::{Context, ExitStatus, Failure, Result};
use crate::output::{count, print};
use muster_sources::delimited::{ColumnSketch, Sketch, ValueKind, sketch};
use std::fmt::Write;
use std::path::Path;

/// Identity attributes, each with names that columns have which hold it. Case, spaces, `_`, `-` and `.` do not matter.
const ATTRIBUTES: [(&str, &[&str]); 7] = [
    ("firstname", &["firstname", "givenname", "forename", "vorname", "prenom"]),
    ("lastname", &["lastname", "surname", "sn", "familyname", "nachname", "nom"]),
    ("displayName", &["displayname", "fullname", "cn"]),
    ("email", &["email", "mail", "emailaddress", "workemail"]),
    ("department", &["department", "dept", "abteilung"]),
    ("manager", &["manager", "managerid", "supervisor"]),
    ("phone", &["phone", "telephone", "telephonenumber", "workphone"]),
];
/// Parts of the names of columns that usually name an account, the best first.
const KEYS: [&str; 10] = [
    "dn",
    "distinguishedname",
    "employeenumber",
    "employeeid",
    "empnum",
    "accountid",
    "login",
    "userid",
    "uid",
    "id",
];

/// Writes the definition.
pub fn run(args: &InitArgs) -> Result {
    let stem = args.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = args.name.clone().unwrap_or(stem);
    if name.trim().is_empty() {
        return Err(Failure::usage("--name is blank: expected the source's name"));
    }
    let found = sketch(&args.file).context(|| format!("{} cannot be looked at", args.file.display()))?;
    let to = args.to.clone().unwrap_or_else(|| args.file.with_extension("toml"));
    let text = definition(&found, &shown_from(&to, &args.file)?, &name, args.authoritative)?;
    if to.as_os_str() == "-" {
        return print(text.trim_end());
    }
    if to.exists() && !args.force {
        return Err(Failure::new(format!(
            "{} is there already and stays as it is: expected --to FILE, or --force to replace it",
            to.display()
        )));
    }
    std::fs::write(&to, text).context(|| format!("{} cannot be written", to.display()))?;
    print(&format!(
        "{}: {} columns, {}, delimiter {:?}; look at it, then run `muster source check {}`",
        to.display(),
        found.columns.len(),
        found.encoding,
        found.delimiter,
        to.display()
    ))
}

/// The path of the file as the definition has it: from the definition's folder where both are in one, else absolute.
fn shown_from(definition: &Path, file: &Path) -> Result<String> {
    let folder = |path: &Path| path.parent().unwrap_or(Path::new("")).to_owned();
    let path = match folder(definition) == folder(file) {
        true => Path::new(file.file_name().unwrap_or_default()).to_owned(),
        false => file.canonicalize().context(|| format!("{} cannot be found", file.display()))?,
    };
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| {
        Failure::of(ExitStatus::Usage, format!("{} has a name that is not UTF-8", file.display()))
    })
}

/// The name as it is compared.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !" _-.".contains(*c)).flat_map(char::to_lowercase).collect()
}

/// The column that names the account: always filled, never twice the same, and if possible with a name that says so.
fn key(found: &Sketch) -> Option<&ColumnSketch> {
    let candidates =
        || found.columns.iter().filter(|c| c.distinct && c.filled == found.records && c.separator.is_none());
    let named = KEYS.iter().find_map(|key| candidates().find(|column| plain(&column.name) == *key));
    let likely = || KEYS.iter().find_map(|key| candidates().find(|column| plain(&column.name).contains(key)));
    named.or_else(likely).or_else(|| candidates().next()).or(found.columns.first())
}

/// A text as TOML has it, in one line: what JSON escapes, TOML escapes alike.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", names.map(quoted).collect::<Vec<_>>().join(", "))
}

/// The text of the definition.
fn definition(found: &Sketch, path: &str, name: &str, authoritative: bool) -> Result<String> {
    let key = key(found).ok_or_else(|| Failure::new(format!("{path} has no column")))?;
    let mut text =
        format!("name = {}\nkind = \"delimited\"\n\n[delimited]\npath = {}\n", quoted(name), quoted(path));
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    if found.encoding != "utf-8" {
        line(format!("encoding = {}", quoted(&found.encoding)));
    }
    if found.delimiter != ',' {
        line(format!("delimiter = {}", quoted(&found.delimiter.to_string())));
    }
    let sample = if found.is_whole { "all" } else { "the first" };
    if key.distinct && key.filled == found.records && found.records > 0 {
        line(format!(
            "# In {sample} {} records it is there, and never twice the same.",
            count(found.records as u64)
        ));
    } else {
        line(format!(
            "# No column is there once in {sample} {} records: choose one.",
            count(found.records as u64)
        ));
    }
    line(format!("native_identity = {}", quoted(&key.name)));
    let attribute = |wanted: &str| {
        let names =
            ATTRIBUTES.iter().find(|(attribute, _)| *attribute == wanted).map_or(&[][..], |(_, names)| names);
        names.iter().find_map(|name| found.columns.iter().find(|column| plain(&column.name) == *name))
    };
    if let Some(column) = attribute("displayName") {
        line(format!("display_name = {}", quoted(&column.name)));
    }
    let separator = found.columns.iter().find_map(|column| column.separator);
    if let Some(separator) = separator {
        let several = found.columns.iter().filter(|column| column.separator == Some(separator));
        line(format!("multi_valued = {}", list(several.map(|column| column.name.as_str()))));
        if separator != ';' {
            line(format!("multi_value_separator = {}", quoted(&separator.to_string())));
        }
        line("# If the values of a column are access, such as groups:".to_owned());
        line("# entitlements = [\"...\"]".to_owned());
    }
    line(format!(
        "\n# The columns, and what their values look like in {sample} {} records:",
        count(found.records as u64)
    ));
    for column in &found.columns {
        line(format!("#   {}: {}", column.name.escape_debug(), described(column, found.records)));
    }
    if authoritative {
        line(format!("\n[profile]\nname = {}\npriority = 10", quoted(name)));
        line(mapping("uid", &key.name));
        for (name, _) in ATTRIBUTES {
            if let Some(column) = attribute(name).filter(|column| column.name != key.name) {
                line(mapping(name, &column.name));
            }
        }
        line("\n# If a column says who works here:".to_owned());
        line("# [lifecycle]\n# attribute = \"status\"\n# states = { \"A\" = \"active\", \"T\" = \"terminated\" }".to_owned());
    } else {
        line("\n# The accounts belong to identities of another source. Say how they are found:".to_owned());
        line(format!(
            "# [[correlation]]\n# identity_attribute = \"uid\"\n# account_attribute = {}",
            quoted(attribute("email").map_or(&key.name, |column| &column.name))
        ));
    }
    Ok(text)
}

fn mapping(attribute: &str, column: &str) -> String {
    format!("[[profile.attributes]]\nname = {}\nfrom = {}", quoted(attribute), quoted(column))
}

fn described(column: &ColumnSketch, records: usize) -> String {
    let kind = match column.kind {
        ValueKind::None => return "always blank".to_owned(),
        ValueKind::Flag => "yes or no",
        ValueKind::Number => "numbers",
        ValueKind::Date => "dates",
        ValueKind::Email => "e-mail addresses",
        ValueKind::Text => "texts",
    };
    let mut text = kind.to_owned();
    if let Some(separator) = column.separator {
        // Writing to a text does not fail.
        let _ = write!(text, ", several with {separator:?} between them");
    }
    match column.filled {
        filled if filled == records => {}
        filled => {
            let _ = write!(text, ", in {} records", count(filled as u64));
        }
    }
    if column.distinct && column.filled > 1 {
        text.push_str(", never twice the same");
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use muster_sources::SourceDefinition;

    fn made(csv: &str, authoritative: bool) -> String {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("people.csv");
        std::fs::write(&file, csv).unwrap();
        definition(&sketch(&file).unwrap(), "people.csv", "People \"1\"", authoritative).unwrap()
    }

    #[test]
    fn what_is_written_can_be_read_and_says_what_was_found() {
        let csv = "empnum;givenName;surname;mail;memberOf\n1;Ada;King;ada@example.com;a|b\n2;Bob;Roe;;c|d\n";
        let text = made(csv, true);
        let read = SourceDefinition::from_toml(&text, Path::new("people.toml")).unwrap();
        assert_eq!((read.name.as_str(), read.is_authoritative()), ("People \"1\"", true));
        for part in [
            "delimiter = \";\"",
            "native_identity = \"empnum\"",
            "multi_valued = [\"memberOf\"]\nmulti_value_separator = \"|\"",
            "name = \"email\"\nfrom = \"mail\"",
            "name = \"lastname\"\nfrom = \"surname\"",
            "#   mail: e-mail addresses, in 1 records",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(!text.contains("encoding"), "UTF-8 is what is expected:\n{text}");

        let text = made(csv, false);
        let read = SourceDefinition::from_toml(&text, Path::new("people.toml")).unwrap();
        assert!(!read.is_authoritative());
        assert!(text.contains("# account_attribute = \"mail\""), "{text}");
    }

    /// Twice the same value: it does not name an account.
    #[test]
    fn the_column_that_names_the_account_is_unique() {
        let text = made("id,dn,name\n1,a,Ada\n1,b,Bob\n", false);
        assert!(text.contains("native_identity = \"dn\""), "{text}");
        let text = made("a,b\n1,2\n1,2\n", false);
        assert!(
            text.contains("# No column is there once in all 2 records: choose one.\nnative_identity = \"a\""),
            "{text}"
        );
    }

    /// A name in the header must not end the remark that it is in.
    #[test]
    fn hostile_names_stay_in_their_places() {
        let text = made("id,\"x\n[profile]\"\n1,2\n", false);
        let read = SourceDefinition::from_toml(&text, Path::new("people.toml")).unwrap();
        assert!(!read.is_authoritative(), "{text}");
    }
}
