//! A report as data: names, arguments, columns, order and query texts in one TOML file.
//!
//! The built-in definitions are in this crate's `definitions` folder; an administrator adds
//! files of the same form. Query texts are opaque here: the engine plans them over a snapshot,
//! with each argument as the placeholder `$name`, and the time of the snapshot as `$snapshotTime`.

use crate::arguments::{ArgumentKind, ArgumentSpec, Arguments, RawArguments, UnknownNames, check_names};
use crate::definition_fault::DefinitionFault;
use crate::error::{Error, Result, shown};
use crate::ids::{ReportId, sha256_hex};
use crate::kind::{FileFormat, ReportKind};
use crate::message::Message;
use crate::nearest::hint;
use crate::pdf_layout::PdfLayout;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

/// One column of a report's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Technical name, camelCase: the CSV header.
    pub name: String,
    /// Title Case With Spaces: the PDF header.
    pub label: String,
    /// What a cell says.
    pub meaning: String,
}

/// Which free attributes follow the fixed columns, one column each, in schema order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeColumns {
    /// Every identity attribute of the tenant's schema.
    Identity,
    /// Every account attribute of the source that the `SourceId` argument names.
    Source,
}

/// A part of the population that the report leaves out, counted by a query of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// Why these are left out.
    pub reason: String,
    /// One row, one integer. Exclusions of one report never overlap.
    pub query: String,
}

/// A breakdown of the reported rows for the cover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subtotal {
    /// What the rows are broken down by.
    pub by: String,
    /// Rows of (label text, rows integer); the rows add up to the rows reported.
    pub query: String,
}

/// How a chart shows its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChartForm {
    /// A bar for each category.
    Bars,
    /// A bar for each category, its series one after the other.
    Stacked,
    /// As stacked, each bar filling the whole width.
    Share,
    /// A line for each series over the categories, which are moments in order. With fewer than two it is left out.
    Line,
}

/// A chart of a report's document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChartSpec {
    /// Title.
    pub title: String,
    /// What it shows, for those who cannot see it.
    pub description: String,
    /// What is counted: `accounts`, say.
    pub unit: String,
    /// How it is drawn.
    pub form: ChartForm,
    /// Categories or series that a reader should look at, by name: they are drawn in the accent colour, and the rest in
    /// grey. If empty, no part is more important than another.
    #[serde(default)]
    pub accent: Vec<String>,
    /// Rows of (category text, series text, number integer), in the order in which they are shown.
    pub query: String,
}

/// A report: everything but the engine that plans it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportDefinition {
    /// The id it is started by; for a published report its kind.
    pub id: ReportId,
    /// Grows with every change of columns, order or meaning.
    pub version: u32,
    /// The task's name (`taskDefName`), also the default file name.
    pub name: String,
    /// One sentence (`description`).
    pub description: String,
    /// The rules that it serves, such as `PCI DSS 8.2.6`.
    #[serde(default)]
    pub norms: Vec<String>,
    /// `parentName`, where the published service has one.
    #[serde(default)]
    pub parent: Option<String>,
    /// What one row is.
    pub row: String,
    /// Arguments, in the order of the documentation.
    #[serde(default)]
    pub arguments: Vec<ArgumentSpec>,
    /// Formats a result may have.
    pub formats: Vec<FileFormat>,
    /// Whether the rows are what a search query finds: then the arguments decide columns, order and rows, and
    /// the file has nothing of what follows.
    #[serde(default)]
    pub search: bool,
    /// Fixed columns, in file order.
    #[serde(default)]
    pub columns: Vec<Column>,
    /// Which of the columns the table of the PDF shows.
    #[serde(default)]
    pub pdf: PdfLayout,
    /// The attribute columns after them, taken from the query's `attributes` map.
    #[serde(default)]
    pub attribute_columns: Option<AttributeColumns>,
    /// Sort keys: columns of the query. The last one is unique, so the order is total.
    #[serde(default)]
    pub order_by: Vec<String>,
    /// A column whose every value has a CSV file of its own, all of them in one archive; the first sort key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_by: Option<String>,
    /// Fixed columns that together tell rows apart, for comparing two runs; empty where a caller must name them.
    #[serde(default)]
    pub key: Vec<String>,
    /// The rows: a query whose output has every fixed column and every sort key.
    #[serde(default)]
    pub query: String,
    /// One row, one integer: everything that could have been reported.
    #[serde(default)]
    pub population: String,
    /// What is left out of the population. Rows written must equal population less exclusions.
    #[serde(default)]
    pub exclusions: Vec<Exclusion>,
    /// Breakdowns for the cover.
    #[serde(default)]
    pub subtotals: Vec<Subtotal>,
    /// Charts of the document.
    #[serde(default)]
    pub charts: Vec<ChartSpec>,
    /// SHA-256 of the definition file, 64 hex digits.
    #[serde(skip)]
    pub digest: String,
    /// The published kind, `None` for a report that the published API does not know.
    #[serde(skip)]
    pub kind: Option<ReportKind>,
    /// Whether the program brings it. A custom report comes from a file of the installation, or from its database.
    #[serde(skip)]
    pub built_in: bool,
}

impl ReportDefinition {
    /// Reads a definition file. `place` names the file in errors.
    ///
    /// # Errors
    /// `Invalid` with the file, the key and what was expected.
    pub fn from_toml(text: &str, place: &str) -> Result<Self> {
        let definition = Self::parse(text)
            .map_err(|error| Error::invalid(format!("report definition {place}: {error}")))?;
        match definition.faults().into_iter().next() {
            None => Ok(definition),
            Some((_, what)) => Err(Error::invalid(format!("report definition {place}: {what}"))),
        }
    }

    /// Reads a definition, and everything that is wrong with it, whatever its queries are.
    ///
    /// # Errors
    /// The one fault of a text that is no definition.
    pub fn with_faults(text: &str) -> std::result::Result<(Self, Vec<DefinitionFault>), DefinitionFault> {
        let definition = Self::parse(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            DefinitionFault { key: String::new(), line, reason: error.message().trim().to_owned() }
        })?;
        let faults = definition.faults().into_iter();
        let faults = faults.map(|(key, what)| DefinitionFault::of(text, key, what)).collect();
        Ok((definition, faults))
    }

    fn parse(text: &str) -> std::result::Result<Self, toml::de::Error> {
        let mut definition: Self = toml::from_str(text)?;
        definition.digest = sha256_hex([text]);
        definition.kind = definition.id.as_str().parse().ok();
        Ok(definition)
    }

    /// What is wrong with it: each key with what was expected.
    fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut refuse = |key, what: String| faults.push((key, what));
        if self.formats.is_empty() {
            refuse("formats", "formats is empty: expected at least one of CSV, PDF".into());
        }
        if self.search {
            if !self.columns.is_empty() || !self.query.is_empty() || !self.population.is_empty() {
                refuse("search", "search is true: expected no columns, query or population with it".into());
            }
            let queries = self.arguments.iter().filter(|argument| argument.kind == ArgumentKind::Query);
            if queries.count() != 1 {
                refuse("search", "search is true: expected one argument of type query".into());
            }
        } else {
            if self.columns.is_empty() {
                refuse("columns", "columns is empty: expected at least one".into());
            }
            if self.query.is_empty() || self.population.is_empty() {
                refuse("query", "query or population is missing: expected both".into());
            }
            if self.order_by.is_empty() {
                refuse("order_by", "order_by is empty: expected sort keys, the last of them unique".into());
            }
        }
        if self.id.as_str().is_empty()
            || !self.id.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        {
            refuse("id", format!("id is {:?}: expected letters, digits, _ and -", self.id.as_str()));
        }
        if self.arguments.iter().any(|argument| argument.name == SNAPSHOT_TIME) {
            refuse(
                "arguments",
                format!("an argument has the name {SNAPSHOT_TIME:?}, which is that of the snapshot's time"),
            );
        }
        let begins = |kind: &ArgumentKind| matches!(kind, ArgumentKind::Snapshot | ArgumentKind::Review);
        if self.arguments.iter().filter(|argument| begins(&argument.kind)).count() > 1 {
            refuse(
                "arguments",
                "there are several arguments of type snapshot or review: expected at most one".into(),
            );
        }
        let mut seen = std::collections::BTreeSet::new();
        for column in &self.columns {
            if !seen.insert(&column.name) {
                refuse("columns", format!("column {:?} is there twice", column.name));
            }
        }
        if let Some(name) = self.key.iter().find(|name| !seen.contains(name)) {
            refuse("key", format!("key names {name:?}: expected names of its columns"));
        }
        if let Some(name) = &self.files_by
            && (self.order_by.first() != Some(name) || !seen.contains(name))
        {
            refuse(
                "files_by",
                format!("files_by is {name:?}: expected a column that is the first of order_by"),
            );
        }
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        if let Some(fault) = self.pdf.fault(&names) {
            refuse("pdf", format!("pdf {fault}"));
        }
        if self.attribute_columns == Some(AttributeColumns::Source) && self.source_argument().is_none() {
            refuse(
                "attribute_columns",
                "attribute_columns is \"source\": expected an argument of type source_id".into(),
            );
        }
        faults
    }

    /// The texts of all queries, each with what it is for.
    pub fn queries(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = [("query", self.query.as_str()), ("population", self.population.as_str())];
        let exclusions =
            self.exclusions.iter().map(|exclusion| (exclusion.reason.as_str(), exclusion.query.as_str()));
        let subtotals = self.subtotals.iter().map(|subtotal| (subtotal.by.as_str(), subtotal.query.as_str()));
        let charts = self.charts.iter().map(|chart| (chart.title.as_str(), chart.query.as_str()));
        own.into_iter().chain(exclusions).chain(subtotals).chain(charts)
    }

    /// The argument that is a search query, if there is one.
    pub fn query_argument(&self) -> Option<&ArgumentSpec> {
        self.arguments.iter().find(|argument| argument.kind == ArgumentKind::Query)
    }

    /// The argument that names the snapshot with which the period of the report begins, if it reads several.
    pub fn snapshot_argument(&self) -> Option<&ArgumentSpec> {
        self.arguments.iter().find(|argument| argument.kind == ArgumentKind::Snapshot)
    }

    /// The argument that names the access review that the report reads, if it reads one. Such a report has a period, too: the
    /// snapshots from that of the review on.
    pub fn review_argument(&self) -> Option<&ArgumentSpec> {
        self.arguments.iter().find(|argument| argument.kind == ArgumentKind::Review)
    }

    /// Whether the report reads several snapshots.
    pub fn has_period(&self) -> bool {
        self.snapshot_argument().is_some() || self.review_argument().is_some()
    }

    /// The argument that names the source this report is about, if there is one.
    pub fn source_argument(&self) -> Option<&ArgumentSpec> {
        self.arguments
            .iter()
            .find(|a| matches!(a.kind, ArgumentKind::SourceId | ArgumentKind::AuthoritativeSourceId))
    }
}

/// Arguments that every report takes in addition to its own: ours, so that the published ones stay as they are. If a report
/// has an argument of the same name, its own is used.
pub static COMMON_ARGUMENTS: LazyLock<[ArgumentSpec; 5]> = LazyLock::new(|| {
    let spec = |name: &str, allowed: &[&str], meaning: &str| ArgumentSpec {
        name: name.into(),
        kind: ArgumentKind::Texts { allowed: allowed.iter().map(|text| (*text).to_owned()).collect() },
        required: false,
        default: None,
        meaning: meaning.into(),
    };
    [
        spec(
            SELECTED_FORMATS,
            &FileFormat::PUBLISHED.map(FileFormat::as_str),
            "Formats to write; all that the report has when absent. A large report without PDF takes much less time.",
        ),
        spec(
            EXTRA_FORMATS,
            &FileFormat::EXTRA.map(FileFormat::as_str),
            "Formats to write in addition to the published ones; they are fetched by a route of their own.",
        ),
        ArgumentSpec {
            kind: ArgumentKind::Text,
            ..spec(
                FORMULA_GUARD,
                &[],
                "`on` or `off`: whether a CSV cell that a spreadsheet would take for a formula gets a quote before it. \
                 The setting csv.formula_guard when absent.",
            )
        },
        ArgumentSpec {
            kind: ArgumentKind::Text,
            ..spec(
                CSV_BOM,
                &[],
                "`on` or `off`: whether CSV files begin with a byte order mark, by which some spreadsheets know UTF-8. \
                 The setting csv.bom when absent.",
            )
        },
        ArgumentSpec {
            kind: ArgumentKind::Names,
            ..spec(
                PDF_COLUMNS,
                &[],
                "Columns that the table of the PDF shows, in this order, at most 16. Those that the report's definition \
                 names when absent.",
            )
        },
    ]
});

/// The placeholder in queries that stands for the time of the snapshot: no argument has this name.
pub const SNAPSHOT_TIME: &str = "snapshotTime";

/// Name of the argument that chooses among the formats of a report.
pub const SELECTED_FORMATS: &str = "selectedFormats";
/// Name of the argument that asks for further formats.
pub const EXTRA_FORMATS: &str = "extraFormats";
/// Name of the argument that turns the formula guard on or off.
pub const FORMULA_GUARD: &str = "formulaGuard";
/// Name of the argument that turns the byte order mark of CSV files on or off.
pub const CSV_BOM: &str = "csvBom";
/// Name of the argument that chooses the columns of the PDF's table.
pub const PDF_COLUMNS: &str = "pdfColumns";

/// All reports that can be started, by id: the built-in ones, those of files, and those that a store keeps. Clones share
/// the last ones, so that all parts of a service learn of a change at once.
#[derive(Debug, Clone)]
pub struct Catalogue {
    by_id: BTreeMap<ReportId, Arc<ReportDefinition>>,
    kept: Arc<RwLock<BTreeMap<ReportId, Arc<ReportDefinition>>>>,
}

const BUILT_IN: [(&str, &str); 24] = [
    ("accounts.toml", include_str!("../definitions/accounts.toml")),
    ("identities.toml", include_str!("../definitions/identities.toml")),
    ("identities_details.toml", include_str!("../definitions/identities_details.toml")),
    ("identity_errors.toml", include_str!("../definitions/identity_errors.toml")),
    ("orphan_identities.toml", include_str!("../definitions/orphan_identities.toml")),
    ("search_export.toml", include_str!("../definitions/search_export.toml")),
    ("uncorrelated_accounts.toml", include_str!("../definitions/uncorrelated_accounts.toml")),
    // Ours: no published kind.
    ("access.toml", include_str!("../definitions/access.toml")),
    ("access_changes.toml", include_str!("../definitions/access_changes.toml")),
    ("access_in_period.toml", include_str!("../definitions/access_in_period.toml")),
    ("attribute_mappings.toml", include_str!("../definitions/attribute_mappings.toml")),
    ("dormant_accounts.toml", include_str!("../definitions/dormant_accounts.toml")),
    ("entitlements.toml", include_str!("../definitions/entitlements.toml")),
    ("identity_changes.toml", include_str!("../definitions/identity_changes.toml")),
    ("leavers_with_access.toml", include_str!("../definitions/leavers_with_access.toml")),
    ("machine_accounts.toml", include_str!("../definitions/machine_accounts.toml")),
    ("manager_review.toml", include_str!("../definitions/manager_review.toml")),
    ("password_age.toml", include_str!("../definitions/password_age.toml")),
    ("privileged_access.toml", include_str!("../definitions/privileged_access.toml")),
    ("refused_records.toml", include_str!("../definitions/refused_records.toml")),
    ("review_decisions.toml", include_str!("../definitions/review_decisions.toml")),
    ("review_revokes.toml", include_str!("../definitions/review_revokes.toml")),
    ("sod_violations.toml", include_str!("../definitions/sod_violations.toml")),
    ("source_freshness.toml", include_str!("../definitions/source_freshness.toml")),
];

impl ReportDefinition {
    /// Its own arguments, then those that every report takes, without those that are about formats which it has not.
    pub fn all_arguments(&self) -> impl Iterator<Item = &ArgumentSpec> {
        let is_own = |common: &ArgumentSpec| self.arguments.iter().any(|own| own.name == common.name);
        let fits = move |common: &&ArgumentSpec| !is_own(common) && !self.lacks_formats_of(&common.name);
        self.arguments.iter().chain(COMMON_ARGUMENTS.iter().filter(fits))
    }

    /// Whether an argument that reports have in common is about formats that this one is never written in.
    fn lacks_formats_of(&self, argument: &str) -> bool {
        match argument {
            // An archive of CSV files.
            EXTRA_FORMATS => self.search,
            PDF_COLUMNS => !self.formats.contains(&FileFormat::Pdf),
            _ => false,
        }
    }

    /// The formats that a run with these arguments writes, those of the report first.
    pub fn formats_wanted(&self, arguments: &Arguments) -> Vec<FileFormat> {
        let named = |name: &str, format: &FileFormat| {
            arguments.texts(name).map(|texts| texts.iter().any(|text| text == format.as_str()))
        };
        let own = self.formats.iter().filter(|format| named(SELECTED_FORMATS, format).unwrap_or(true));
        let extra = FileFormat::EXTRA.iter().filter(|format| named(EXTRA_FORMATS, format).unwrap_or(false));
        own.chain(extra).copied().collect()
    }

    /// The formats that it can be written in without further ones, in words.
    fn formats_in_words(&self) -> String {
        let names: Vec<_> = self.formats.iter().map(|format| format.as_str()).collect();
        match self.search {
            true => format!("{}, in a zip archive", names.join(", ")),
            false => names.join(", "),
        }
    }

    /// The arguments that fit this report, and what a reader must know of names that it does not have. A query is not
    /// read.
    ///
    /// # Errors
    /// `Invalid` with the argument and what was expected.
    pub fn check_arguments(
        &self,
        raw: &RawArguments,
        unknown: UnknownNames,
    ) -> Result<(Arguments, Vec<Message>)> {
        let arguments = Arguments::check(self.all_arguments(), raw)?;
        let is_own = |name: &str| self.arguments.iter().any(|own| own.name == name);
        for (name, value) in raw {
            if !is_own(name) && self.lacks_formats_of(name) && !value.says_nothing() {
                return Err(Error::invalid(format!(
                    "argument {name:?} is about formats that {} does not have: it is written as {}",
                    self.id,
                    self.formats_in_words()
                )));
            }
        }
        let about_names = check_names(self.all_arguments(), raw, unknown)?;
        for switch in [FORMULA_GUARD, CSV_BOM] {
            if let Some(other) = arguments.text(switch).filter(|text| !["on", "off"].contains(text)) {
                let other = shown(other);
                return Err(Error::invalid(format!("argument {switch:?} is {other}: expected on or off")));
            }
        }
        self.check_pdf_columns(&arguments)?;
        Ok((arguments, about_names))
    }

    /// Whether a request's columns of the PDF are columns of this report. Attribute columns are not known here: a name
    /// that may be one of them is looked up when the report runs.
    fn check_pdf_columns(&self, arguments: &Arguments) -> Result<()> {
        let layout = self.pdf_layout(arguments);
        let mut names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        if self.attribute_columns.is_some() || self.search {
            names.extend(layout.columns.iter().map(String::as_str));
        }
        match layout.fault(&names) {
            None => Ok(()),
            Some(fault) => Err(Error::invalid(format!("argument {PDF_COLUMNS:?} {fault}"))),
        }
    }

    /// How a request has the table of the PDF: as it says, or as the definition does.
    pub fn pdf_layout(&self, arguments: &Arguments) -> PdfLayout {
        match arguments.text(PDF_COLUMNS) {
            Some(names) => PdfLayout {
                fill_in: self.pdf.fill_in.clone(),
                ..PdfLayout::of_request(names.split(',').map(str::to_owned).collect())
            },
            None => self.pdf.clone(),
        }
    }
}

impl Catalogue {
    /// The built-in reports.
    pub fn built_in() -> Self {
        let by_id = BUILT_IN.into_iter().map(|(place, text)| {
            let mut definition =
                ReportDefinition::from_toml(text, place).expect("built-in definitions are tested");
            definition.built_in = true;
            (definition.id.clone(), Arc::new(definition))
        });
        Self { by_id: by_id.collect(), kept: Arc::default() }
    }

    /// Adds a custom report.
    ///
    /// # Errors
    /// `Invalid` when its id is taken: a built-in report is never replaced.
    pub fn add(&mut self, definition: ReportDefinition) -> Result<()> {
        if self.by_id.contains_key(&definition.id) || definition.kind.is_some() {
            return Err(Error::invalid(format!(
                "report definition {:?} is there already: expected another id",
                definition.id.as_str()
            )));
        }
        self.by_id.insert(definition.id.clone(), Arc::new(definition));
        Ok(())
    }

    /// Adds a custom report in place of the one that has its id.
    ///
    /// # Errors
    /// `Invalid` when the id is that of a built-in report.
    pub fn replace(&mut self, definition: ReportDefinition) -> Result<()> {
        if self.by_id.get(&definition.id).is_some_and(|known| !known.built_in) {
            self.by_id.remove(&definition.id);
        }
        self.add(definition)
    }

    /// Takes these reports, which a store keeps, in place of those that it kept before. A report with the id of a built-in
    /// one or of one of a file is left out: files come first.
    pub fn keep(&self, definitions: impl IntoIterator<Item = Arc<ReportDefinition>>) {
        let is_free = |definition: &Arc<ReportDefinition>| {
            definition.kind.is_none() && !self.by_id.contains_key(&definition.id)
        };
        let definitions = definitions.into_iter().filter(is_free);
        let kept = definitions.map(|definition| (definition.id.clone(), definition)).collect();
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = kept;
    }

    /// Whether the report is built-in, or of a file.
    pub fn is_fixed(&self, id: &ReportId) -> bool {
        self.by_id.contains_key(id)
    }

    /// The definition with this id.
    pub fn get(&self, id: &ReportId) -> Option<Arc<ReportDefinition>> {
        let kept = || self.kept.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        self.by_id.get(id).cloned().or_else(kept)
    }

    /// The definition with this id.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    pub fn definition(&self, id: &ReportId) -> Result<Arc<ReportDefinition>> {
        self.get(id).ok_or_else(|| {
            let all: Vec<_> = self.iter().collect();
            let ids: Vec<_> = all.iter().map(|definition| definition.id.as_str()).collect();
            Error::not_found(format!(
                "there is no report {}{}; expected one of {}",
                shown(id.as_str()),
                hint(id.as_str(), ids.iter().copied()),
                ids.join(", ")
            ))
        })
    }

    /// Every definition, by id.
    pub fn iter(&self) -> impl Iterator<Item = Arc<ReportDefinition>> + use<> {
        let mut all = self.kept.read().unwrap_or_else(PoisonError::into_inner).clone();
        all.extend(self.by_id.iter().map(|(id, definition)| (id.clone(), definition.clone())));
        all.into_values()
    }
}

#[cfg(test)]
mod tests;
