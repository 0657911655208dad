//! A line that shows how far something is. Only a terminal shows it: elsewhere nothing is written.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// How often the line moves while nothing is known.
const TICK: Duration = Duration::from_millis(200);
/// Before it is known how much there is.
const BEGUN: &str = "{spinner} {msg}, {elapsed}";
/// Of the rows of a report.
const ROWS: &str = "{msg} [{bar:30}] {human_pos} of {human_len} rows, {per_sec}, {eta} left";
/// Of the parts of a refresh, which take unequal times.
const PARTS: &str = "{msg} [{bar:30}] {pos} of {len} parts, {elapsed}";

/// The line, on standard error. It disappears when this is dropped.
pub struct Bar {
    bar: ProgressBar,
    template: &'static str,
}

impl Bar {
    /// Of a report, whose rows are counted.
    pub fn of_rows(title: &str) -> Self {
        Self::new(title, ROWS)
    }

    /// Of a refresh, whose parts are counted.
    pub fn of_parts(title: &str) -> Self {
        Self::new(title, PARTS)
    }

    fn new(title: &str, template: &'static str) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_style(style(BEGUN));
        bar.set_message(title.to_owned());
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self { bar, template }
    }

    /// Whether anybody sees it.
    pub fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Shows how much is done, if it is known how much there is.
    pub fn show(&self, done: Option<u64>, expected: Option<u64>) {
        let (Some(done), Some(expected)) = (done, expected) else { return };
        if self.bar.length() != Some(expected) {
            self.bar.set_length(expected);
            self.bar.set_style(style(self.template));
        }
        self.bar.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // A test shows that the templates of this file are right.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_right() {
        for template in [BEGUN, ROWS, PARTS] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn rows_are_shown_once_they_are_counted() {
        let bar = Bar::of_rows("report");
        bar.show(None, None);
        assert_eq!(bar.bar.length(), None);
        bar.show(Some(500), Some(2_000));
        bar.show(Some(600), Some(2_000));
        assert_eq!((bar.bar.position(), bar.bar.length()), (600, Some(2_000)));
    }
}
