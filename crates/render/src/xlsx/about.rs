//! The sheets around the rows: a summary to read first, the numbers of its charts, and what the report was made from.

use muster_reports::cover::Cover;
use muster_reports::snapshot::SourceRun;
use rust_xlsxwriter::{
    Chart as Drawing, ChartFormat, ChartPoint, ChartSolidFill, ChartType, Color, DocProperties,
    ExcelDateTime, Format, FormatAlign, Worksheet, XlsxError,
};

use crate::chart::numbers::grouped;
use crate::chart::{Chart, ChartKind};
use crate::cover as facts;
use crate::cover::{duration, minute, second};

/// The names of the sheets.
pub(super) const SUMMARY: &str = "Summary";
const NUMBERS: &str = "Chart numbers";
const ABOUT: &str = "About";
/// Most characters of a cell, some of which count twice.
const CELL_CHARS: usize = 16_000;
/// Most characters of a text on one row, where it may have several.
const ON_ONE_ROW: usize = 1_000;
/// The height of a line of text, in points, and most lines of a row: a row is at most 409 points high.
const LINE: u32 = 15;
const LINES_MAX: u32 = 27;
/// What to look at in a chart, and the rest.
const ACCENT: Color = Color::RGB(0x1e_3a6e);
const GREY: Color = Color::RGB(0xb4_bdca);
/// Rows of a sheet that a chart covers, its title counted.
const CHART_ROWS: u32 = 17;

/// What these sheets show.
pub(super) struct About<'a> {
    pub(super) title: &'a str,
    pub(super) cover: &'a Cover,
    pub(super) charts: &'a [Chart],
}

/// How cells look.
struct Styles {
    title: Format,
    heading: Format,
    name: Format,
    text: Format,
    number: Format,
}

impl Styles {
    fn new() -> Self {
        let top = || Format::new().set_align(FormatAlign::Top);
        Self {
            title: Format::new().set_bold().set_font_size(18),
            heading: Format::new().set_bold().set_font_size(12).set_font_color(ACCENT),
            name: top().set_font_color(Color::RGB(0x47_5569)),
            text: top().set_text_wrap().set_align(FormatAlign::Left),
            number: top().set_num_format("#,##0").set_align(FormatAlign::Right),
        }
    }
}

impl About<'_> {
    /// The properties of the file.
    pub(super) fn properties(&self) -> Result<DocProperties, XlsxError> {
        let cover = self.cover;
        let created = ExcelDateTime::from_timestamp(cover.completed.timestamp())?;
        Ok(DocProperties::new()
            .set_title(self.title)
            .set_subject(format!("{}, task {}", cover.report.id, cover.task_id.as_str()))
            .set_author(&cover.requester.name)
            .set_company(&cover.tenant)
            .set_comment(format!(
                "Data as of {}. Made by Muster {}.",
                minute(cover.snapshot.created),
                cover.product_version
            ))
            .set_creation_datetime(&created))
    }

    /// The sheet before the rows. `first` is done before anything is written to it.
    pub(super) fn summary(
        &self,
        first: impl Fn(&mut Worksheet) -> Result<(), XlsxError>,
    ) -> Result<Worksheet, XlsxError> {
        let styles = Styles::new();
        let mut page = Page::new(SUMMARY, &styles)?;
        first(&mut page.sheet)?;
        page.widths(&[44, 26, 14])?;
        page.sheet.set_screen_gridlines(false);
        let cover = self.cover;
        page.title(self.title)?;
        page.text(&format!(
            "Requested by {}, completed {}, data as of {}.",
            cover.requester.name,
            minute(cover.completed),
            minute(cover.snapshot.created)
        ))?;
        if cover.reconciliation.reported == 0 {
            page.text(&format!("No rows: none found among {}.", grouped(cover.reconciliation.population)))?;
        }
        page.heading("Counts")?;
        for (step, rows) in facts::steps(&cover.reconciliation) {
            page.count(&step, rows)?;
        }
        page.count("Refused records", cover.snapshot.sources.iter().map(|source| source.rejected).sum())?;
        page.count("Sources read", cover.snapshot.sources.len() as u64)?;
        page.pair("Age of the data at request", &duration(cover.snapshot.age_seconds))?;
        for breakdown in &cover.reconciliation.subtotals {
            page.heading(&format!("Reported rows by {}", breakdown.by))?;
            for part in &breakdown.parts {
                page.count(&part.label, part.rows)?;
            }
        }
        page.heading("Messages")?;
        if cover.messages.is_empty() {
            page.text("There are none.")?;
        }
        for message in &cover.messages {
            let kind = facts::severity(message.severity);
            page.text(&format!("{kind}: {} ({})", message.text, message.key))?;
        }
        for (place, (chart, numbers)) in (0_u32..).zip(drawn(self.charts)) {
            let drawing = drawing(&chart, numbers);
            page.sheet.insert_chart(2 + place * CHART_ROWS, 4, &drawing)?;
        }
        Ok(page.sheet)
    }

    /// The sheets after the rows.
    pub(super) fn others(&self) -> Result<Vec<Worksheet>, XlsxError> {
        let mut sheets = Vec::new();
        // A report without rows has charts that show nothing.
        let drawn = drawn(self.charts);
        if !drawn.is_empty() {
            sheets.push(numbers(drawn)?);
        }
        sheets.push(self.about()?);
        Ok(sheets)
    }

    /// Arguments, sources, digests, columns and the query.
    fn about(&self) -> Result<Worksheet, XlsxError> {
        let styles = Styles::new();
        let mut page = Page::new(ABOUT, &styles)?;
        page.widths(&[34, 50, 70, 24])?;
        let cover = self.cover;
        page.heading_here("Request")?;
        for (name, value) in facts::request(cover) {
            page.pair(&name, &value)?;
        }
        page.heading("Arguments")?;
        let arguments = facts::arguments(cover);
        if arguments.is_empty() {
            page.text("There are none.")?;
        }
        let (long, short): (Vec<_>, Vec<_>) =
            arguments.into_iter().partition(|(_, value)| value.chars().nth(ON_ONE_ROW).is_some());
        for (name, value) in short {
            page.pair(&name, &value)?;
        }
        for (name, _) in &long {
            page.pair(name, "at the end of this sheet")?;
        }
        page.heading("Snapshot")?;
        page.pair("Snapshot", &cover.snapshot.id)?;
        page.pair("Published", &second(cover.snapshot.created))?;
        for (name, value) in facts::earlier(cover) {
            page.pair(&name, &value)?;
        }
        page.heading("Sources")?;
        for source in &cover.snapshot.sources {
            let complete = if source.complete { "complete" } else { "not complete" };
            page.cells(&[
                &source.name,
                source.id.as_str(),
                &format!(
                    "{}, read {}, {complete}: {} read, {} refused, {} loaded{}",
                    source.kind,
                    minute(source.ended),
                    source.read,
                    source.rejected,
                    source.loaded,
                    owners_totals(source)
                ),
            ])?;
        }
        page.heading("Other files of this result")?;
        for file in &cover.files {
            let size = format!("{} bytes, {} rows", file.bytes, file.rows);
            page.cells(&[&file.name, &size, &format!("SHA-256 {}", file.sha256)])?;
        }
        page.text("A file cannot hold its own digest. That of this one is in the record of the result.")?;
        page.heading("Columns")?;
        for column in &cover.columns {
            page.cells(&[&column.name, &column.label, &column.meaning, &column.origin])?;
        }
        page.heading("How to verify")?;
        page.text(&cover.how_to_verify)?;
        // Last, because they are long: nothing is below them.
        page.heading("Effective query")?;
        page.whole(&cover.effective_query)?;
        for (name, value) in &long {
            page.heading(name)?;
            page.whole(value)?;
        }
        Ok(page.sheet)
    }
}

/// The numbers that charts are drawn from.
fn numbers(drawn: Vec<(Chart, u32)>) -> Result<Worksheet, XlsxError> {
    let styles = Styles::new();
    let mut page = Page::new(NUMBERS, &styles)?;
    page.widths(&[40, 18, 18, 18, 18, 18])?;
    for (chart, numbers) in drawn {
        page.row = numbers;
        page.heading_here(&chart.title)?;
        for (series, place) in chart.series.iter().zip(1_u16..) {
            page.sheet.write_string_with_format(numbers + 1, place, &series.name, &styles.name)?;
            for (value, row) in series.values.iter().zip(numbers + 2..) {
                page.sheet.write_number_with_format(row, place, *value, &styles.number)?;
            }
        }
        for (category, row) in chart.categories.iter().zip(numbers + 2..) {
            page.sheet.write_string(row, 0, fit(category))?;
        }
    }
    Ok(page.sheet)
}

/// A sheet that is filled from top to bottom.
struct Page<'s> {
    sheet: Worksheet,
    /// Characters that its columns have room for.
    widths: Vec<u32>,
    row: u32,
    styles: &'s Styles,
}

impl<'s> Page<'s> {
    fn new(name: &str, styles: &'s Styles) -> Result<Self, XlsxError> {
        let mut sheet = Worksheet::new();
        sheet.set_name(name)?;
        // Printed, it is as wide as a page.
        sheet.set_print_fit_to_pages(1, 0);
        Ok(Self { sheet, widths: Vec::new(), row: 0, styles })
    }

    fn widths(&mut self, widths: &[u32]) -> Result<(), XlsxError> {
        for (width, column) in widths.iter().zip(0_u16..) {
            self.sheet.set_column_width(column, *width)?;
        }
        self.widths = widths.to_vec();
        Ok(())
    }

    fn title(&mut self, text: &str) -> Result<(), XlsxError> {
        self.sheet.write_string_with_format(self.row, 0, fit(text), &self.styles.title)?;
        self.row += 1;
        Ok(())
    }

    /// A heading below an empty row.
    fn heading(&mut self, text: &str) -> Result<(), XlsxError> {
        self.row += 1;
        self.heading_here(text)
    }

    fn heading_here(&mut self, text: &str) -> Result<(), XlsxError> {
        self.sheet.write_string_with_format(self.row, 0, fit(text), &self.styles.heading)?;
        self.row += 1;
        Ok(())
    }

    /// A text over three columns, on as many lines as it needs.
    fn text(&mut self, text: &str) -> Result<(), XlsxError> {
        self.sheet.merge_range(self.row, 0, self.row, 2, &fit(text), &self.styles.text)?;
        self.end_row(lines(text, self.widths.iter().take(3).sum()))
    }

    /// A text of any length, of which nothing is cut: each line on a row of its own, and a long line on several.
    fn whole(&mut self, text: &str) -> Result<(), XlsxError> {
        for line in text.lines() {
            let characters: Vec<char> = line.chars().collect();
            for part in characters.chunks(ON_ONE_ROW) {
                self.text(&part.iter().collect::<String>())?;
            }
        }
        Ok(())
    }

    /// Ends a row of so many lines. Not every program makes a row as high as its text.
    fn end_row(&mut self, lines: u32) -> Result<(), XlsxError> {
        if lines > 1 {
            self.sheet.set_row_height(self.row, LINE * lines.min(LINES_MAX))?;
        }
        self.row += 1;
        Ok(())
    }

    fn pair(&mut self, name: &str, value: &str) -> Result<(), XlsxError> {
        self.cells(&[name, value])
    }

    fn cells(&mut self, texts: &[&str]) -> Result<(), XlsxError> {
        let mut tallest = 1;
        for ((text, column), width) in texts.iter().zip(0_u16..).zip(&self.widths) {
            let style = if column == 0 { &self.styles.name } else { &self.styles.text };
            self.sheet.write_string_with_format(self.row, column, fit(text), style)?;
            tallest = tallest.max(lines(text, *width));
        }
        self.end_row(tallest)
    }

    fn count(&mut self, name: &str, number: u64) -> Result<(), XlsxError> {
        self.sheet.write_string_with_format(self.row, 0, fit(name), &self.styles.name)?;
        // Counts of rows are far below 2^53.
        self.sheet.write_number_with_format(self.row, 1, number as f64, &self.styles.number)?;
        self.row += 1;
        Ok(())
    }
}

/// Lines that a text needs in a column of this width, about.
fn lines(text: &str, width: u32) -> u32 {
    let lines = text.lines().map(|line| line.chars().count().div_ceil(width.max(1) as usize).max(1));
    u32::try_from(lines.sum::<usize>()).unwrap_or(u32::MAX)
}

/// The charts that can be drawn, shortened, each with the row where its numbers begin.
fn drawn(charts: &[Chart]) -> Vec<(Chart, u32)> {
    let mut row = 0;
    let place = |chart: &Chart| {
        let (chart, _) = chart.shortened();
        let here = row;
        // A title, the names of the series, and an empty row. There are at most sixty categories.
        row += chart.categories.len() as u32 + 3;
        (chart, here)
    };
    charts.iter().filter(|chart| chart.check().is_ok() && !chart.categories.is_empty()).map(place).collect()
}

/// A chart over its numbers.
fn drawing(chart: &Chart, numbers: u32) -> Drawing {
    let form = match chart.kind {
        ChartKind::Bars => ChartType::Bar,
        ChartKind::StackedBars => ChartType::BarStacked,
        ChartKind::Share => ChartType::BarPercentStacked,
        ChartKind::Line => ChartType::Line,
    };
    let mut drawing = Drawing::new(form);
    let (first, last) = (numbers + 2, numbers + 1 + chart.categories.len() as u32);
    let drawn = if chart.kind == ChartKind::Bars { 1 } else { chart.series.len() };
    for (series, column) in chart.series.iter().take(drawn).zip(1_u16..) {
        let one = drawing.add_series();
        one.set_name((NUMBERS, numbers + 1, column));
        one.set_categories((NUMBERS, first, 0, last, 0));
        one.set_values((NUMBERS, first, column, last, column));
        if chart.accent.is_empty() {
            if chart.series.len() == 1 {
                one.set_format(&mut format(chart.kind, ACCENT));
            }
            continue;
        }
        let colour =
            |name: &str| if chart.accent.iter().any(|accent| accent == name) { ACCENT } else { GREY };
        one.set_format(&mut format(chart.kind, colour(&series.name)));
        if chart.kind == ChartKind::Bars {
            let points: Vec<ChartPoint> = chart
                .categories
                .iter()
                .map(|category| ChartPoint::new().set_format(&mut format(chart.kind, colour(category))))
                .collect();
            one.set_points(&points);
        }
    }
    drawing.title().set_name(&chart.title);
    drawing.set_alt_text(&chart.description);
    // Bars from top to bottom, as their table has them.
    if chart.kind == ChartKind::Line {
        drawing.y_axis().set_name(&chart.unit);
    } else {
        drawing.y_axis().set_reverse();
    }
    if drawn < 2 {
        drawing.legend().set_hidden();
    }
    drawing.set_width(560);
    drawing.set_height(320);
    drawing
}

fn format(kind: ChartKind, colour: Color) -> ChartFormat {
    let mut format = ChartFormat::new();
    if kind == ChartKind::Line {
        let mut line = rust_xlsxwriter::ChartLine::new();
        format.set_line(line.set_color(colour));
    } else {
        format.set_solid_fill(ChartSolidFill::new().set_color(colour));
    }
    format
}

/// A text that a cell can hold; a longer one is cut, with an ellipsis at its end.
fn fit(text: &str) -> String {
    let mut shown = text.chars().filter(|character| !character.is_control() || *character == '\n');
    let mut fit: String = shown.by_ref().take(CELL_CHARS).collect();
    if shown.next().is_some() {
        fit.push('\u{2026}');
    }
    fit
}

/// What the owner of a source states, behind what was read.
fn owners_totals(source: &SourceRun) -> String {
    let total = source.reported_total.map(|total| format!("; total stated {total}")).unwrap_or_default();
    let sum = source.sum.as_ref().map(|sum| {
        let stated = sum.stated.as_deref().unwrap_or("nothing");
        let loaded = sum.loaded.as_ref().map(|loaded| format!(", {loaded} loaded")).unwrap_or_default();
        format!(
            "; sum of {}: {stated} stated, {} read, {} refused{loaded}",
            sum.column, sum.read, sum.refused
        )
    });
    total + &sum.unwrap_or_default()
}
