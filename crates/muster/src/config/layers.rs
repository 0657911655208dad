//! The layers of settings: defaults, then a TOML file, then `MUSTER__SECTION__KEY`, then flags.
//!
//! Each layer is a provider of its own whose name is its place, so that the origin of every value is
//! known. Unknown keys are looked for in each layer before they are joined, for only there it is
//! certain which place an unknown key came from.

use super::{ConfigError, Settings};
use figment::providers::Serialized;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use std::path::{Path, PathBuf};

/// Start of the variables that are settings.
const PREFIX: &str = "MUSTER__";
/// The file that is read from the data directory unless another is named.
const FILE_NAME: &str = "muster.toml";

/// What the command line says about settings.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--config`
    pub config: Option<PathBuf>,
    /// Flags that are settings: the flag, the key, the value.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

impl Given {
    /// Adds a flag that was given.
    pub fn flag(&mut self, flag: &'static str, key: &'static str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.flags.push((flag, key, value.to_string()));
        }
    }
}

/// The settings in force, and where each came from.
#[derive(Debug, Clone)]
pub struct Effective {
    /// The settings.
    pub settings: Settings,
    layers: Figment,
}

/// One setting with its origin.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Row {
    /// `section.key`
    pub key: String,
    /// The value in force.
    pub value: serde_json::Value,
    /// `default`, the file, the variable or the flag.
    pub origin: String,
}

/// One place that settings come from.
struct Layer {
    place: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.place.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

/// The defaults as a provider, for the name that `config show` gives them.
struct Defaults(Dict);

impl Provider for Defaults {
    fn metadata(&self) -> Metadata {
        Metadata::named("default")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.0.clone())]))
    }
}

impl Effective {
    /// Joins the layers. `environment` holds the process's variables.
    ///
    /// # Errors
    /// [`ConfigError`] with the file, variable or flag for a file that cannot be read, an unknown key, a
    /// value of the wrong type, or values that do not fit together.
    pub fn load(
        given: &Given,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let defaults = default_values();
        let variables = variables(environment, &defaults)?;
        let flags = given
            .flags
            .iter()
            .map(|(flag, key, value)| single(flag, key, value, &defaults))
            .collect::<Result<Vec<_>, _>>()?;
        let mut layers = Figment::from(Defaults(defaults.clone()));
        if let Some(file) = file(given, &variables, &flags, &defaults)? {
            layers = layers.merge(file);
        }
        for layer in variables.into_iter().chain(flags) {
            layers = layers.merge(layer);
        }
        let settings: Settings = layers.extract().map_err(|error| {
            let place = error.metadata.as_ref().map_or_else(|| "settings".into(), |m| m.name.to_string());
            ConfigError { place, reason: format!("{}: {}", error.path.join("."), error.kind) }
        })?;
        let effective = Self { settings, layers };
        match effective.settings.fault() {
            Some((key, reason)) => {
                Err(ConfigError { place: effective.origin(key), reason: format!("{key}: {reason}") })
            }
            None => Ok(effective),
        }
    }

    /// Where the value of `key` came from.
    pub fn origin(&self, key: &str) -> String {
        self.layers.find_metadata(key).map_or_else(|| "default".into(), |found| found.name.to_string())
    }

    /// Every setting with its origin, by section in the order of the documentation.
    pub fn rows(&self) -> Vec<Row> {
        let all = serde_json::to_value(&self.settings).expect("settings are plain values");
        let defaults = default_values();
        let mut rows = Vec::new();
        for (section, values) in all.as_object().into_iter().flatten() {
            for (name, value) in values.as_object().into_iter().flatten() {
                let key = format!("{section}.{name}");
                match value.as_object().filter(|_| is_table(&defaults, section, name)) {
                    Some(table) => {
                        rows.extend(
                            table.iter().map(|(name, value)| self.row(format!("{key}.{name}"), value)),
                        );
                    }
                    None => rows.push(self.row(key, value)),
                }
            }
        }
        rows
    }

    fn row(&self, key: String, value: &serde_json::Value) -> Row {
        let origin = self.origin(&key);
        Row { key, value: value.clone(), origin }
    }
}

fn default_values() -> Dict {
    Serialized::defaults(Settings::default())
        .data()
        .ok()
        .and_then(|mut profiles| profiles.remove(&Profile::Default))
        .expect("settings are a map")
}

/// The TOML file: the named one, or the data directory's if it has one.
fn file(
    given: &Given,
    variables: &[Layer],
    flags: &[Layer],
    defaults: &Dict,
) -> Result<Option<Layer>, ConfigError> {
    let (path, required) = match &given.config {
        Some(path) => (path.clone(), true),
        None => {
            let set = |layers: &[Layer]| layers.iter().rev().find_map(|l| lookup(&l.values, "data.dir"));
            let dir = set(flags).or_else(|| set(variables)).or_else(|| lookup(defaults, "data.dir"));
            let dir = dir.as_ref().and_then(Value::as_str).unwrap_or_default();
            (Path::new(dir).join(FILE_NAME), false)
        }
    };
    let place = path.display().to_string();
    let refuse = |reason: String| ConfigError { place: place.clone(), reason };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => return Ok(None),
        Err(error) => return Err(refuse(format!("cannot be read: {error}"))),
    };
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        refuse(format!("line {line}: {}", error.message().trim_end()))
    })?;
    let values = Value::serialize(&table)
        .ok()
        .and_then(Value::into_dict)
        .ok_or_else(|| refuse("expected tables of settings".into()))?;
    for (section, keys) in &values {
        let known = known_section(defaults, section).map_err(refuse)?;
        let Some(keys) = keys.as_dict() else {
            return Err(refuse(format!("{section} is a single value: expected the table [{section}]")));
        };
        for (key, value) in keys {
            let default = known_key(known, section, key).map_err(refuse)?;
            if let (Some(known), Some(table)) = (table_of(default), value.as_dict()) {
                for inner in table.keys() {
                    known_key(known, &format!("{section}.{key}"), inner).map_err(refuse)?;
                }
            }
        }
    }
    if !required && lookup(&values, "data.dir").is_some() {
        return Err(refuse(
            "data.dir: this file was found in the data directory, it cannot name another".into(),
        ));
    }
    Ok(Some(Layer { place, values }))
}

/// One layer for each variable.
fn variables(
    environment: impl IntoIterator<Item = (String, String)>,
    defaults: &Dict,
) -> Result<Vec<Layer>, ConfigError> {
    let mut found: Vec<_> = environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    found.sort();
    found
        .into_iter()
        .map(|(name, value)| {
            let rest = name[PREFIX.len()..].to_ascii_lowercase();
            let key = match rest.split("__").collect::<Vec<_>>()[..] {
                [section, key] if !section.is_empty() && !key.is_empty() => format!("{section}.{key}"),
                [section, table, key] if ![section, table, key].contains(&"") => {
                    format!("{section}.{table}.{key}")
                }
                _ => {
                    let reason = format!("expected {PREFIX}SECTION__KEY");
                    return Err(ConfigError { place: name, reason });
                }
            };
            single(&name, &key, &value, defaults)
        })
        .collect()
}

/// A layer of one value, which is text in the place it comes from.
fn single(place: &str, key: &str, text: &str, defaults: &Dict) -> Result<Layer, ConfigError> {
    let refuse = |reason| ConfigError { place: place.to_owned(), reason };
    let (section, name) = key.split_once('.').expect("a key has a section");
    let (name, inner) = name.split_once('.').map_or((name, None), |(name, inner)| (name, Some(inner)));
    let known = known_section(defaults, section).map_err(refuse)?;
    let mut default = known_key(known, section, name).map_err(refuse)?;
    if let Some(inner) = inner {
        let table = format!("{section}.{name}");
        let known = table_of(default).ok_or_else(|| refuse(format!("{table} is no table of settings")))?;
        default = known_key(known, &table, inner).map_err(refuse)?;
    }
    let layer = |value: Value| {
        let within = |name: &str, value: Value| Dict::from([(name.to_owned(), value)]);
        let value = inner.map_or(value.clone(), |inner| Value::from(within(inner, value)));
        let values = within(section, Value::from(within(name, value)));
        Layer { place: place.to_owned(), values }
    };
    let fits = |value: &Value| {
        let settings = Figment::from(Defaults(defaults.clone())).merge(layer(value.clone()));
        settings.extract::<Settings>().is_ok()
    };
    let plain = Value::from(text);
    let written = || {
        let table = toml::from_str::<toml::Table>(&format!("value = {text}")).ok()?;
        Value::serialize(&table["value"]).ok()
    };
    let value = match default {
        // What is text by default stays text: a tenant may be called 007.
        Value::String(..) | Value::Char(..) => plain,
        // No default says nothing of the type: it is text if it can be.
        Value::Empty(..) if fits(&plain) => plain,
        Value::Empty(..) | Value::Bool(..) | Value::Num(..) | Value::Dict(..) | Value::Array(..) => {
            written().unwrap_or(plain)
        }
    };
    Ok(layer(value))
}

fn known_section<'a>(defaults: &'a Dict, section: &str) -> Result<&'a Dict, String> {
    defaults
        .get(section)
        .and_then(Value::as_dict)
        .ok_or_else(|| format!("unknown section {section:?}: expected one of {}", names(defaults)))
}

fn known_key<'a>(known: &'a Dict, section: &str, key: &str) -> Result<&'a Value, String> {
    known.get(key).ok_or_else(|| format!("unknown key {section}.{key}: expected one of {}", names(known)))
}

/// The keys of a setting that is a table of settings; `None` of any other, also of a table with names that people choose.
fn table_of(default: &Value) -> Option<&Dict> {
    default.as_dict().filter(|keys| !keys.is_empty())
}

fn is_table(defaults: &Dict, section: &str, key: &str) -> bool {
    let known = defaults.get(section).and_then(Value::as_dict).and_then(|keys| keys.get(key));
    known.and_then(table_of).is_some()
}

fn names(values: &Dict) -> String {
    values.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn lookup(values: &Dict, key: &str) -> Option<Value> {
    let (section, name) = key.split_once('.')?;
    values.get(section)?.as_dict()?.get(name).cloned()
}
