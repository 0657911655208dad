//! Which columns the table of a report's PDF shows, and how its rows are grouped.
//!
//! A page has room for about twelve columns that can be read; the CSV file has all of them.

use serde::{Deserialize, Serialize};

/// Columns that the table shows where neither the definition nor the request chooses.
const COLUMNS_SHOWN: usize = 12;
/// Most columns that a definition or a request may choose, those of the group counted.
pub const PDF_COLUMNS_MAX: usize = 16;

/// The table of a PDF: the key `pdf` of a definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PdfLayout {
    /// The columns of the table, by name and in order. If empty, the first twelve of the report.
    #[serde(default)]
    pub columns: Vec<String>,
    /// The column whose value rows of one group have in common. The report must be ordered so that the rows of a group
    /// follow one another.
    #[serde(default)]
    pub group_by: Option<String>,
    /// The columns that stand once above the rows of a group, by name. The first is its title.
    #[serde(default)]
    pub group: Vec<String>,
    /// The columns that a reader fills in by hand. They stay although they are empty, and have room to write.
    #[serde(default)]
    pub fill_in: Vec<String>,
}

impl PdfLayout {
    /// The layout of a request that chooses columns itself. Then nothing is grouped.
    pub fn of_request(columns: Vec<String>) -> Self {
        Self { columns, ..Self::default() }
    }

    /// What is wrong with it for a report with these columns, if anything.
    pub fn fault(&self, names: &[&str]) -> Option<String> {
        let chosen: Vec<&String> = self.columns.iter().chain(&self.group).collect();
        if let Some(name) = chosen
            .iter()
            .copied()
            .chain(&self.group_by)
            .chain(&self.fill_in)
            .find(|name| !names.contains(&name.as_str()))
        {
            return Some(format!("names {name:?}: expected names of the report's columns"));
        }
        if let Some(name) = chosen.iter().enumerate().find(|(at, name)| chosen[..*at].contains(name)) {
            return Some(format!("names {:?} twice: expected each column once", name.1));
        }
        if chosen.len() > PDF_COLUMNS_MAX {
            return Some(format!("names {} columns: expected at most {PDF_COLUMNS_MAX}", chosen.len()));
        }
        if self.group_by.is_some() == self.group.is_empty() {
            return Some("has one of group_by and group: expected both or none".to_owned());
        }
        if self.group_by.is_some() && self.columns.is_empty() {
            return Some(
                "groups rows and names no columns: expected the columns of the table too".to_owned(),
            );
        }
        None
    }

    /// The columns of the table among those of the file, in the table's order. Names that the file does not have are left
    /// out; if it has none of them, its first columns are shown.
    pub fn shown<'a>(&'a self, file: &[&'a str]) -> Vec<&'a str> {
        let chosen: Vec<&str> =
            self.columns.iter().map(String::as_str).filter(|name| file.contains(name)).collect();
        if chosen.is_empty() { file.iter().copied().take(COLUMNS_SHOWN).collect() } else { chosen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn without_a_choice_the_first_twelve_columns_are_shown() {
        let file: Vec<String> = (0..20).map(|number| format!("c{number}")).collect();
        let file: Vec<&str> = file.iter().map(String::as_str).collect();
        assert_eq!(PdfLayout::default().shown(&file), file[..12]);
        let chosen = PdfLayout::of_request(names(&["c19", "gone", "c2"]));
        assert_eq!(chosen.shown(&file), ["c19", "c2"]);
        assert_eq!(PdfLayout::of_request(names(&["gone"])).shown(&file), file[..12]);
    }

    #[test]
    fn faults_are_told() {
        let known = ["id", "name", "source"];
        let layout = |columns: &[&str], by: Option<&str>, group: &[&str]| PdfLayout {
            columns: names(columns),
            group_by: by.map(str::to_owned),
            group: names(group),
            fill_in: Vec::new(),
        };
        assert_eq!(layout(&["source"], Some("id"), &["name"]).fault(&known), None);
        assert_eq!(PdfLayout::default().fault(&known), None);
        for (wrong, part) in [
            (layout(&["colour"], None, &[]), "\"colour\""),
            (PdfLayout { fill_in: names(&["decison"]), ..PdfLayout::default() }, "\"decison\""),
            (layout(&["name"], Some("id"), &["name"]), "\"name\" twice"),
            (layout(&["name"], Some("id"), &[]), "both or none"),
            (layout(&["name"], None, &["id"]), "both or none"),
            (layout(&[], Some("id"), &["name"]), "no columns"),
        ] {
            let fault = wrong.fault(&known).unwrap_or_default();
            assert!(fault.contains(part), "{fault}");
        }
        let many: Vec<String> = (0..17).map(|number| format!("c{number}")).collect();
        let file: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(
            PdfLayout::of_request(many.clone())
                .fault(&file)
                .is_some_and(|fault| fault.contains("17 columns"))
        );
    }
}
