//! How a bucket is reached: from the variables of the environment, and from a file with secrets.

use crate::config::Settings;
use crate::data_dir::SecretFile;
use crate::failure::{Failure, Result};
use muster_runs::{BucketKind, BucketPlace};
use std::path::Path;

/// The setting with the place of results.
const LOCATION: &str = "results.location";
/// The setting with the file of properties.
const FILE: &str = "results.location_file";

/// The bucket of results, if the settings name one.
///
/// # Errors
/// When its file of properties cannot be read, or has something else.
pub fn of_results(settings: &Settings, dir: &Path) -> Result<Option<BucketPlace>> {
    let Some(location) = &settings.results.location else { return Ok(None) };
    let mut properties = variables();
    if let Some(named) = &settings.results.location_file {
        properties.extend(from_text(&SecretFile::find(FILE, named, dir)?.text(FILE)?)?);
    }
    let place = BucketPlace::read(location, properties);
    place
        .map(|place| Some(place.in_parts_of(settings.results.part_size.0)))
        .map_err(|error| Failure::usage(format!("{LOCATION}: {location:?} {}", error.message)))
}

/// The variables of the programs of all services with buckets, with their names in small letters.
pub fn variables() -> Vec<(String, String)> {
    let kinds = [BucketKind::S3, BucketKind::Azure, BucketKind::Google];
    let named = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.into_string().ok()?.to_ascii_lowercase();
        kinds
            .iter()
            .any(|kind| name.starts_with(kind.properties()))
            .then_some((name, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(named).collect()
}

/// Properties from lines `NAME=value`. No value is ever in a message.
fn from_text(text: &str) -> Result<Vec<(String, String)>> {
    let mut properties = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        match line.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
            Some((name, value)) if is_name(name) => {
                properties.push((name.to_ascii_lowercase(), value.to_owned()));
            }
            Some(_) | None => {
                return Err(Failure::usage(format!(
                    "{FILE}: line {number} is no property: expected NAME=value, such as AWS_REGION=eu-central-1"
                )));
            }
        }
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn properties_are_lines_and_values_are_not_told() {
        let text = "# of the bucket\n\nAWS_REGION = eu-central-1\naws_secret_access_key=a=b#c\n";
        let expected = [("aws_region", "eu-central-1"), ("aws_secret_access_key", "a=b#c")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(from_text(text).unwrap(), expected);
        for wrong in ["AWS_REGION=a\nnot told", "a\n=not told", "AWS_REGION=a\nA B=not told"] {
            let refused = from_text(wrong).unwrap_err().to_string();
            assert!(
                refused.contains("results.location_file: line ") && refused.contains("NAME=value"),
                "{refused}"
            );
            assert!(!refused.contains("not told"), "{refused}");
        }
    }
}
