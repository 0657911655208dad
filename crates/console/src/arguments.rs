//! The arguments of a report as fields of a form, and the form's values as arguments.
//!
//! The fields follow from the report's definition, so a custom report has a form too.

use crate::fields::Fields;
use muster_wire::ArgumentDescription;
use serde_json::{Map, Value};

/// What a field looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Yes, no, or what the report takes by default.
    YesNo,
    /// A line of text.
    Line,
    /// A whole number.
    Number,
    /// A day.
    Day,
    /// Several lines.
    Lines,
    /// One of the choices.
    Choose,
    /// Any of the choices.
    Check,
    /// A query.
    Query,
}

/// A value that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) name: String,
    pub(crate) is_chosen: bool,
}

/// Arguments that every report takes. A form has them in a part of its own, which is closed until one is given.
const COMMON: [&str; 5] = ["selectedFormats", "extraFormats", "formulaGuard", "csvBom", "pdfColumns"];
/// Those of them that are `on` or `off`, or what the settings say.
const SWITCHES: [&str; 2] = ["formulaGuard", "csvBom"];

/// The fields of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormFields {
    /// What the report needs to know.
    pub(crate) own: Vec<Field>,
    /// What every report takes.
    pub(crate) common: Vec<Field>,
    /// Whether a common one is given, or refused.
    pub(crate) is_open: bool,
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) form: Form,
    pub(crate) meaning: String,
    pub(crate) required: bool,
    pub(crate) value: String,
    pub(crate) choices: Vec<Choice>,
    /// Why the value was refused.
    pub(crate) error: String,
}

/// A source, as a form offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceChoice {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) authoritative: bool,
}

fn is_source(kind: &str) -> bool {
    matches!(kind, "source_id" | "authoritative_source_id")
}

/// Whether the name of the source follows from another field.
fn follows(argument: &ArgumentDescription, all: &[ArgumentDescription], sources: &[SourceChoice]) -> bool {
    argument.kind == "source_name" && !sources.is_empty() && all.iter().any(|other| is_source(&other.kind))
}

/// `correlatedOnly` as people write it: `Correlated only`.
fn label(name: &str) -> String {
    // What has a short form in its name.
    match name {
        "csvBom" => return "CSV with a byte order mark".to_owned(),
        "pdfColumns" => return "Columns of the PDF".to_owned(),
        _ => {}
    }
    let mut label = String::new();
    for (index, c) in name.chars().enumerate() {
        match c {
            '_' | '.' => label.push(' '),
            c if c.is_ascii_uppercase() && index > 0 => {
                label.push(' ');
                label.push(c.to_ascii_lowercase());
            }
            c if index == 0 => label.extend(c.to_uppercase()),
            c => label.push(c),
        }
    }
    label
}

/// The fields of a report's arguments, with the values given so far. `refused` is the service's refusal of them.
pub(crate) fn fields(
    arguments: &[ArgumentDescription],
    sources: &[SourceChoice],
    given: &Fields,
    refused: &str,
) -> FormFields {
    // Of the formats of a search there is one.
    let is_settled = |argument: &ArgumentDescription| {
        COMMON.contains(&argument.name.as_str())
            && argument.allowed.as_ref().is_some_and(|allowed| allowed.len() < 2)
    };
    let shown =
        arguments.iter().filter(|argument| !follows(argument, arguments, sources) && !is_settled(argument));
    let fields = shown.map(|argument| field(argument, sources, given, refused));
    let (common, own): (Vec<_>, Vec<_>) = fields.partition(|field| COMMON.contains(&field.name.as_str()));
    let is_given = |field: &Field| !field.error.is_empty() || !given.text(&field.name).is_empty();
    FormFields { is_open: common.iter().any(is_given), own, common }
}

fn field(argument: &ArgumentDescription, sources: &[SourceChoice], given: &Fields, refused: &str) -> Field {
    let (name, kind) = (argument.name.as_str(), argument.kind.as_str());
    let default = match &argument.default {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
    };
    let value = if given.has(name) { given.text(name) } else { &default };
    let chosen = |choice: &str| given.texts(name).any(|text| text == choice);
    let allowed = argument.allowed.as_deref().unwrap_or_default();
    let (form, choices) = match kind {
        "boolean" => {
            let usual = match argument.default.as_bool() {
                Some(true) => "Not set (yes)",
                Some(false) => "Not set (no)",
                None => "Not set",
            };
            let choice = |value: &str, name: &str| Choice {
                value: value.to_owned(),
                name: name.to_owned(),
                is_chosen: given.text(&argument.name) == value,
            };
            (Form::YesNo, vec![choice("", usual), choice("true", "Yes"), choice("false", "No")])
        }
        _ if SWITCHES.contains(&name) => {
            let choice = |value: &str, name: &str| Choice {
                value: value.to_owned(),
                name: name.to_owned(),
                is_chosen: given.text(&argument.name) == value,
            };
            (Form::Choose, vec![choice("", "As the settings say"), choice("on", "On"), choice("off", "Off")])
        }
        "texts" if !allowed.is_empty() => {
            let choice =
                |text: &String| Choice { value: text.clone(), name: text.clone(), is_chosen: chosen(text) };
            (Form::Check, allowed.iter().map(choice).collect())
        }
        "texts" => (Form::Lines, Vec::new()),
        kind if is_source(kind) && !sources.is_empty() => {
            let fits = |source: &&SourceChoice| kind == "source_id" || source.authoritative;
            let choice = |source: &SourceChoice| Choice {
                value: source.id.clone(),
                name: source.name.clone(),
                is_chosen: value == source.id,
            };
            let none =
                Choice { value: String::new(), name: "Choose a source".into(), is_chosen: value.is_empty() };
            let choices = std::iter::once(none).chain(sources.iter().filter(fits).map(choice));
            (Form::Choose, choices.collect())
        }
        "query" => (Form::Query, Vec::new()),
        "integer" => (Form::Number, Vec::new()),
        "date" => (Form::Day, Vec::new()),
        _ => (Form::Line, Vec::new()),
    };
    let several = given.texts(name).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
    let is_meant = refused.contains(&format!("{name:?}")) || refused.contains(&format!("argument {name}"));
    Field {
        name: name.to_owned(),
        label: label(name),
        value: if form == Form::Lines { several } else { value.to_owned() },
        form,
        // Definitions mark literals as Markdown does.
        meaning: match form {
            Form::Number | Form::Day => format!("{} Expected: {}.", argument.meaning, argument.expected),
            Form::YesNo | Form::Line | Form::Lines | Form::Choose | Form::Check | Form::Query => {
                argument.meaning.clone()
            }
        }
        .replace('`', ""),
        required: argument.required,
        choices,
        error: if is_meant { refused.to_owned() } else { String::new() },
    }
}

/// The arguments that a form gives. What is empty is left out, so that the report takes its default or says what is
/// missing.
pub(crate) fn values(
    arguments: &[ArgumentDescription],
    sources: &[SourceChoice],
    given: &Fields,
) -> Map<String, Value> {
    let value = |argument: &ArgumentDescription| {
        let text = given.text(&argument.name);
        match argument.kind.as_str() {
            "boolean" => match text {
                "true" => Some(Value::from(true)),
                "false" => Some(Value::from(false)),
                _ => None,
            },
            "texts" => {
                let texts = given.texts(&argument.name).flat_map(str::lines).map(str::trim);
                let texts: Vec<_> = texts.filter(|text| !text.is_empty()).map(Value::from).collect();
                (!texts.is_empty()).then(|| Value::from(texts))
            }
            "integer" if !text.is_empty() => {
                // What is no number is sent as it is, so that the service says what it expects.
                Some(text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from))
            }
            "source_name" if follows(argument, arguments, sources) => {
                let ids = arguments.iter().filter(|other| is_source(&other.kind));
                let named = ids.map(|other| given.text(&other.name));
                let mut found = named.filter_map(|id| sources.iter().find(|source| source.id == id));
                found.next().map(|source| Value::from(source.name.as_str()))
            }
            _ => (!text.is_empty()).then(|| Value::from(text)),
        }
    };
    arguments.iter().filter_map(|argument| Some((argument.name.clone(), value(argument)?))).collect()
}

/// Arguments as fields of an address that fills in the form with them.
pub(crate) fn form_fields(arguments: &Map<String, Value>) -> Vec<(&str, String)> {
    let plain = |given: &Value| given.as_str().map_or_else(|| given.to_string(), str::to_owned);
    let mut all = Vec::new();
    for (name, given) in arguments {
        let values = given.as_array().map_or(std::slice::from_ref(given), Vec::as_slice);
        all.extend(values.iter().map(|one| (name.as_str(), plain(one))));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn argument(name: &str, kind: &str) -> ArgumentDescription {
        ArgumentDescription {
            name: name.into(),
            kind: kind.into(),
            expected: "something".into(),
            required: false,
            default: Value::Null,
            allowed: None,
            meaning: "It means something.".into(),
        }
    }

    fn sources() -> Vec<SourceChoice> {
        let source = |id: &str, name: &str, authoritative| SourceChoice {
            id: id.into(),
            name: name.into(),
            authoritative,
        };
        vec![source("s1", "HR", true), source("s2", "Active Directory", false)]
    }

    #[test]
    fn what_every_report_takes_is_in_a_part_of_its_own() {
        let arguments =
            [argument("csvBom", "text"), argument("pdfColumns", "text"), argument("query", "query")];
        let form = fields(&arguments, &[], &Fields::read("csvBom=off"), "");
        assert_eq!(form.own.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["query"]);
        let [bom, columns] = &form.common[..] else { panic!("{form:?}") };
        assert_eq!(
            (bom.label.as_str(), columns.label.as_str()),
            ("CSV with a byte order mark", "Columns of the PDF")
        );
        let chosen: Vec<_> =
            bom.choices.iter().map(|choice| (choice.value.as_str(), choice.is_chosen)).collect();
        assert_eq!(chosen, [("", false), ("on", false), ("off", true)]);
        assert!(form.is_open);
        assert_eq!(values(&arguments, &[], &Fields::read("csvBom=off")).get("csvBom"), Some(&json!("off")));
    }

    #[test]
    fn a_form_gives_arguments_of_each_kind() {
        let formats = ArgumentDescription {
            allowed: Some(vec!["CSV".into(), "PDF".into()]),
            ..argument("formats", "texts")
        };
        let arguments = [
            argument("application", "source_id"),
            argument("sourceName", "source_name"),
            argument("correlatedOnly", "boolean"),
            argument("left", "boolean"),
            argument("query", "query"),
            argument("sort", "texts"),
            argument("columns", "names"),
            formats,
        ];
        let given = Fields::read(
            "application=s2&correlatedOnly=false&left=&query=+name%3Aa*+&sort=name%0D%0A-id%0D%0A&columns=&formats=PDF",
        );
        let expected = json!({
            "application": "s2", "sourceName": "Active Directory", "correlatedOnly": false, "query": "name:a*",
            "sort": ["name", "-id"], "formats": ["PDF"],
        });
        assert_eq!(Value::from(values(&arguments, &sources(), &given)), expected);
        // Without a list of sources, people write both.
        let written = Fields::read("application=s9&sourceName=Other");
        let expected = json!({"application": "s9", "sourceName": "Other"});
        assert_eq!(Value::from(values(&arguments, &[], &written)), expected);
    }

    #[test]
    fn the_name_of_a_source_follows_from_its_choice() {
        let arguments = [
            argument("authoritativeSource", "authoritative_source_id"),
            argument("sourceName", "source_name"),
        ];
        let given = Fields::read("authoritativeSource=s1");
        let shown = fields(&arguments, &sources(), &given, "").own;
        let choices: Vec<_> =
            shown[0].choices.iter().map(|choice| (choice.name.as_str(), choice.is_chosen)).collect();
        assert_eq!((shown.len(), choices), (1, vec![("Choose a source", false), ("HR", true)]));
        assert_eq!(fields(&arguments, &[], &given, "").own.len(), 2);
    }

    #[test]
    fn a_refusal_is_shown_at_the_argument_that_it_names() {
        let arguments = [argument("query", "query"), argument("sort", "texts")];
        let refused = r#"argument "sort" is a text: expected a list"#;
        let shown = fields(&arguments, &[], &Fields::default(), refused).own;
        assert_eq!((shown[0].error.as_str(), shown[1].error.as_str()), ("", refused));
    }

    #[test]
    fn what_every_report_takes_is_apart() {
        let arguments = [argument("query", "query"), argument("formulaGuard", "text")];
        let shown = |given: &str| fields(&arguments, &[], &Fields::read(given), "");
        let (closed, open) = (shown("query=a&formulaGuard="), shown("formulaGuard=off"));
        assert_eq!((closed.own.len(), closed.common.len()), (1, 1));
        assert!(!closed.is_open && open.is_open);
    }

    #[test]
    fn numbers_and_days_have_fields_of_their_own() {
        let days = ArgumentDescription {
            default: json!(90),
            expected: "a whole number from 1 to 3650".into(),
            ..argument("days", "integer")
        };
        let arguments = [days, argument("since", "date")];
        let shown = fields(&arguments, &[], &Fields::default(), "").own;
        assert_eq!((shown[0].form, shown[0].value.as_str()), (Form::Number, "90"));
        assert!(shown[0].meaning.ends_with("Expected: a whole number from 1 to 3650."));
        assert_eq!((shown[1].form, shown[1].value.as_str()), (Form::Day, ""));
        let given = |text: &str| Value::from(values(&arguments, &[], &Fields::read(text)));
        assert_eq!(given("days=30&since=2026-03-31"), json!({"days": 30, "since": "2026-03-31"}));
        assert_eq!(given("days=many&since="), json!({"days": "many"}));
        assert_eq!(given("days=&since="), json!({}));
    }

    #[test]
    fn names_become_labels() {
        for (name, expected) in [("correlatedOnly", "Correlated only"), ("query", "Query"), ("a_b", "A b")] {
            assert_eq!(label(name), expected);
        }
    }
}
