//! Charts: what a chart shows, and which of its categories have room. `pdf/chart.rs` draws it.
//!
//! Why not the charts of a library: a report's chart must be readable in print, name its unit, and use the fonts of the
//! page.

pub(crate) mod numbers;

/// How a chart shows its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartKind {
    /// One bar for each category; only the first series is drawn.
    Bars,
    /// One bar for each category, its series one after the other.
    StackedBars,
    /// As stacked bars, each filling the whole width: the series' parts of the category's sum.
    Share,
    /// A line for each series over the categories, which are moments in order.
    Line,
}

/// Numbers under one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name.
    pub name: String,
    /// One number, at least 0, for each category.
    pub values: Vec<f64>,
}

/// A chart's numbers and words.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Title.
    pub title: String,
    /// What it shows, for those who cannot see it.
    pub description: String,
    /// What is counted: `accounts`, say.
    pub unit: String,
    /// How it is drawn.
    pub kind: ChartKind,
    /// Names of categories or series that a reader should look at; if empty, none is more important than another.
    pub accent: Vec<String>,
    /// Categories, or moments for a line.
    pub categories: Vec<String>,
    /// Series; each has a value for each category.
    pub series: Vec<Series>,
}

/// A chart that cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// A series has fewer or more values than there are categories.
    #[error("series {series:?} has {found} values: expected {expected}")]
    Values {
        /// The series.
        series: String,
        /// Its values.
        found: usize,
        /// The categories.
        expected: usize,
    },
    /// A value that no length can show.
    #[error("series {series:?} has the value {value}: expected a finite number, at least 0")]
    Value {
        /// The series.
        series: String,
        /// The value.
        value: f64,
    },
}

impl Chart {
    /// Categories that are shown separately. The others are shown as one.
    pub const CATEGORIES_MAX: usize = 12;
    /// Most moments of a line.
    pub const MOMENTS_MAX: usize = 60;

    /// Whether each series has a value for each category, and each value can be drawn.
    ///
    /// # Errors
    /// [`ChartError`] for the first series that is wrong.
    pub fn check(&self) -> Result<(), ChartError> {
        for series in &self.series {
            let (found, expected) = (series.values.len(), self.categories.len());
            if found != expected {
                return Err(ChartError::Values { series: series.name.clone(), found, expected });
            }
            if let Some(value) = series.values.iter().find(|value| !value.is_finite() || **value < 0.0) {
                return Err(ChartError::Value { series: series.name.clone(), value: *value });
            }
        }
        Ok(())
    }

    /// The chart with no more categories than can be read: the largest in their order, the rest added up as the last
    /// one. Of a line, the latest moments. Also how many categories the chart does not show by themselves.
    #[must_use]
    pub fn shortened(&self) -> (Self, usize) {
        match self.kind {
            ChartKind::Line => {
                let hidden = self.categories.len().saturating_sub(Self::MOMENTS_MAX);
                let mut chart = self.clone();
                chart.categories.drain(..hidden);
                for series in &mut chart.series {
                    series.values.drain(..hidden.min(series.values.len()));
                }
                (chart, hidden)
            }
            ChartKind::Bars | ChartKind::StackedBars | ChartKind::Share => self.with_rest(),
        }
    }

    fn with_rest(&self) -> (Self, usize) {
        if self.categories.len() <= Self::CATEGORIES_MAX {
            return (self.clone(), 0);
        }
        let sum = |category: usize| self.series.iter().map(|series| series.values[category]).sum::<f64>();
        let mut order: Vec<usize> = (0..self.categories.len()).collect();
        order.sort_by(|one, two| sum(*two).total_cmp(&sum(*one)).then(one.cmp(two)));
        let (kept, rest) = order.split_at(Self::CATEGORIES_MAX - 1);
        let mut kept = kept.to_vec();
        kept.sort_unstable();
        let mut chart = self.clone();
        chart.categories = kept.iter().map(|category| self.categories[*category].clone()).collect();
        chart.categories.push(format!("other ({})", rest.len()));
        for (short, whole) in chart.series.iter_mut().zip(&self.series) {
            short.values = kept.iter().map(|category| whole.values[*category]).collect();
            short.values.push(rest.iter().map(|category| whole.values[*category]).sum());
        }
        (chart, rest.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(kind: ChartKind, count: u32) -> Chart {
        Chart {
            title: "Accounts by source".to_owned(),
            description: "How many accounts each source has and how many are locked".to_owned(),
            unit: "accounts".to_owned(),
            kind,
            accent: Vec::new(),
            categories: (0..count).map(|number| format!("Source {number}")).collect(),
            series: vec![
                Series { name: "Active".to_owned(), values: (0..count).map(f64::from).collect() },
                Series { name: "Locked".to_owned(), values: vec![1.0; count as usize] },
            ],
        }
    }

    #[test]
    fn many_categories_become_the_largest_and_a_rest_that_adds_up() {
        let (short, hidden) = chart(ChartKind::StackedBars, 30).shortened();
        // The largest eleven are 19 to 29; 0 to 18 are the rest.
        assert_eq!(hidden, 19);
        assert_eq!(short.categories[0], "Source 19");
        assert_eq!(short.categories[11], "other (19)");
        assert!((short.series[0].values[11] - 171.0).abs() < f64::EPSILON);
        assert!((short.series[1].values[11] - 19.0).abs() < f64::EPSILON);
        let (line, hidden) = chart(ChartKind::Line, 70).shortened();
        assert_eq!((line.categories[0].as_str(), hidden), ("Source 10", 10));
    }

    #[test]
    fn numbers_that_cannot_be_drawn_are_refused() {
        let mut bad = chart(ChartKind::Bars, 3);
        bad.series[0].values[1] = f64::NAN;
        assert!(matches!(bad.check(), Err(ChartError::Value { .. })));
        bad.series[0].values.pop();
        assert!(matches!(bad.check(), Err(ChartError::Values { found: 2, expected: 3, .. })));
    }
}
