//! Which reports there are: the built-in ones and those of a folder of definitions.

use muster_engine::read_only_sql::check;
use muster_reports::error::{Error, Result};
use muster_reports::{Catalogue, ReportDefinition};
use std::path::Path;

/// The built-in reports, and those of `folder` if there is one.
///
/// # Errors
/// With the file of a definition that cannot be read or used.
pub fn catalogue(folder: Option<&Path>) -> Result<Catalogue> {
    let mut catalogue = Catalogue::built_in();
    if let Some(folder) = folder {
        add_definitions(&mut catalogue, folder)?;
    }
    Ok(catalogue)
}

/// Adds every `*.toml` of `folder`, in the order of their names.
fn add_definitions(catalogue: &mut Catalogue, folder: &Path) -> Result<()> {
    let unreadable = || format!("reports.definitions: folder {} cannot be read", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| Error::internal(unreadable(), error))? {
        let path = entry.map_err(|error| Error::internal(unreadable(), error))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    for path in files {
        let place = path.display().to_string();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Error::internal(format!("{place} cannot be read"), error))?;
        let definition = ReportDefinition::from_toml(&text, &place)?;
        check(&definition).map_err(|error| Error::internal(place.as_str(), error))?;
        catalogue.add(definition)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use muster_reports::error::error_chain;

    /// What becomes of a folder with one definition whose population has this text.
    fn added(population: &str) -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "id = \"mine\"\nversion = 1\nname = \"Mine\"\ndescription = \"d\"\nrow = \"r\"\nformats = [\"CSV\"]\n\
             order_by = [\"n\"]\nquery = \"SELECT id AS n FROM accounts\"\npopulation = \"{population}\"\n\
             [[columns]]\nname = \"n\"\nlabel = \"N\"\nmeaning = \"m\"\n"
        );
        std::fs::write(folder.path().join("mine.toml"), text).unwrap();
        add_definitions(&mut Catalogue::built_in(), folder.path())
    }

    #[test]
    fn a_definition_that_does_more_than_read_is_refused_before_the_service_starts() {
        added("SELECT count(*) FROM accounts").unwrap();
        for text in ["COPY accounts TO 'x.csv'", "SELECT 1; SELECT 2", "SET a.b = 1"] {
            let refused = error_chain(&added(text).unwrap_err());
            assert!(
                refused.contains("mine.toml")
                    && refused.contains("population: it is")
                    && refused.contains("SELECT"),
                "{refused}"
            );
        }
    }
}
