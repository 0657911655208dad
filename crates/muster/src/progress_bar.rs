//! A line that shows how far a report is. Only a terminal shows it: elsewhere nothing is written.

use indicatif::{ProgressBar, ProgressStyle};
use muster_client::Progress;
use std::time::Duration;

/// How often the line moves while nothing is known.
const TICK: Duration = Duration::from_millis(200);

/// The line, on standard error. It disappears when this is dropped.
pub struct Bar(ProgressBar);

impl Bar {
    /// A line with this title, which does not know yet how many rows there will be.
    pub fn new(title: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_style(style("{spinner} {msg}, {elapsed}"));
        bar.set_message(title.to_owned());
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self(bar)
    }

    /// Whether anybody sees it.
    pub fn is_shown(&self) -> bool {
        !self.0.is_hidden()
    }

    /// Shows how far the report is.
    pub fn show(&self, progress: &Progress) {
        let (Some(rows), Some(expected)) = (progress.rows, progress.rows_expected) else { return };
        if self.0.length() != Some(expected) {
            self.0.set_length(expected);
            self.0
                .set_style(style("{msg} [{bar:30}] {human_pos} of {human_len} rows, {per_sec}, {eta} left"));
        }
        self.0.set_position(rows);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are in this file: one that is wrong shows in the first run.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_right() {
        for template in [
            "{spinner} {msg}, {elapsed}",
            "{msg} [{bar:30}] {human_pos} of {human_len} rows, {per_sec}, {eta} left",
        ] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn rows_are_shown_once_they_are_counted() {
        let bar = Bar::new("report");
        bar.show(&Progress::default());
        assert_eq!(bar.0.length(), None);
        let rows = |rows| Progress { rows: Some(rows), rows_expected: Some(2_000), ..Progress::default() };
        bar.show(&rows(500));
        bar.show(&rows(600));
        assert_eq!((bar.0.position(), bar.0.length()), (600, Some(2_000)));
    }
}
