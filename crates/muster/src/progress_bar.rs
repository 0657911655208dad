//! A line that shows how far something is. Only a terminal shows it: elsewhere nothing is written.

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::time::Duration;

/// How often the line moves while nothing is known.
const TICK: Duration = Duration::from_millis(200);
/// Before it is known how much there is.
const BEGUN: &str = "{spinner} {msg}, {elapsed}";
/// Of the rows of a report, on the 80 columns of a terminal: the line before has its id.
const ROWS: &str = "[{bar:24}] {human_pos} of {human_len} rows, {rate}, {eta} left";
/// When all rows are there, and files are not complete yet.
const ENDING: &str = "{spinner} {human_len} rows are written, the files are being completed, {elapsed}";
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
        if self.template == ROWS && done >= expected && self.bar.position() < expected {
            self.bar.set_style(style(ENDING));
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
        .with_key("rate", |state: &ProgressState, to: &mut dyn Write| {
            let _ = write!(to, "{}/s", whole(state.per_sec()));
        })
        .progress_chars("=> ")
}

/// A rate without its fractions. In the first moment it is estimated from nanoseconds and may be anything, and the line must
/// fit a terminal, so a higher one than any machine reaches is not shown.
fn whole(rate: f64) -> HumanCount {
    const MOST: f64 = 999_999_999.0;
    // A rate that is no number is 0.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of rows")]
    HumanCount(rate.clamp(0.0, MOST).round() as u64)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use indicatif::{ProgressDrawTarget, TermLike};
    use std::sync::{Arc, Mutex};

    #[test]
    fn the_templates_are_right() {
        for template in [BEGUN, ROWS, ENDING, PARTS] {
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

    /// A terminal of 80 columns, which keeps what was written.
    #[derive(Debug, Clone, Default)]
    struct Terminal(Arc<Mutex<Vec<String>>>);

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> std::io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> std::io::Result<()> {
            self.0.lock().unwrap().push(text.to_owned());
            Ok(())
        }
        fn clear_line(&self) -> std::io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// With numbers that are seldom exceeded.
    #[test]
    fn a_line_fits_a_terminal() {
        for (done, shown) in
            [(1_234_567, "1,234,567 of 9,876,543 rows, "), (9_876_543, "9,876,543 rows are written, the")]
        {
            let bar = Bar::of_rows("report 0123456789abcdef0123456789abcdef");
            let terminal = Terminal::default();
            bar.bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
            bar.show(Some(0), Some(9_876_543));
            bar.show(Some(done), Some(9_876_543));
            bar.bar.force_draw();
            let written = terminal.0.lock().unwrap().clone();
            let line = written.iter().rfind(|line| line.contains(shown));
            assert!(line.is_some_and(|line| line.trim_end().chars().count() <= 80), "{written:?}");
        }
        assert_eq!(whole(92.354_4).to_string(), "92");
        assert_eq!(whole(25_000.6).to_string(), "25,001");
        assert_eq!(whole(28_073_445_986.0).to_string(), "999,999,999");
        assert_eq!(whole(f64::NAN).to_string(), "0");
    }
}
