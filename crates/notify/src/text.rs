//! The text of an e-mail.

use muster_reports::message::Severity;
use muster_reports::notification::{Notice, NoticeReview};
use std::fmt::Write;

/// Most characters of a subject.
const SUBJECT_CHARACTERS_MAX: usize = 150;

/// How the run ended, as a predicate.
fn ended(notice: &Notice) -> &'static str {
    match notice.kind.rsplit('.').next() {
        Some("succeeded") => "has succeeded",
        Some("warned") => "has a result, with warnings",
        Some("skipped") => "was skipped",
        _ => "has failed",
    }
}

fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The subject.
pub(crate) fn subject(notice: &Notice) -> String {
    let data = &notice.data;
    if let Some(review) = &data.review {
        let subject = one_line(&format!("{}: {}", data.name, review_news(notice, review)));
        return subject.chars().take(SUBJECT_CHARACTERS_MAX).collect();
    }
    let rows = data.rows.map(|rows| format!(": {}", counted(rows))).unwrap_or_default();
    let subject = one_line(&format!("{} {}{rows}", data.name, ended(notice)));
    subject.chars().take(SUBJECT_CHARACTERS_MAX).collect()
}

/// What a reviewer is told, in a few words.
fn review_news(notice: &Notice, review: &NoticeReview) -> String {
    let items = |count: u32| if count == 1 { "1 item".to_owned() } else { format!("{count} items") };
    match notice.kind.as_str() {
        "review.ends" => {
            let verb = if review.undecided == 1 { "is" } else { "are" };
            format!("{} {verb} not decided yet", items(review.undecided))
        }
        "review.handed_over" => format!("{} handed over to you", items(review.items)),
        _ => format!("{} for you to review", items(review.items)),
    }
}

/// The body of what a reviewer is told.
fn review_body(notice: &Notice, review: &NoticeReview) -> String {
    let name = one_line(&notice.data.name);
    let mut text = format!("Access review {name}: {}.\n\n", review_news(notice, review));
    if let Some(ends) = review.ends {
        text.push_str(&format!("Please decide until: {}\n", ends.to_rfc3339()));
    }
    text.push_str(&format!("Reviewer: {}\nReview: {}\n", one_line(&review.reviewer), review.id));
    text
}

fn counted(rows: u64) -> String {
    if rows == 1 { "1 row".into() } else { format!("{rows} rows") }
}

/// The body. `about_file` says what became of a file that was to be attached.
pub(crate) fn body(notice: &Notice, about_file: Option<&str>) -> String {
    let data = &notice.data;
    if let Some(review) = &data.review {
        return review_body(notice, review);
    }
    let mut text = format!("{} {}.\n", one_line(&data.name), ended(notice));
    // Writing to a text does not fail.
    let mut line = |line: String| {
        let _ = writeln!(text, "{line}");
    };
    if let Some(reason) = &data.reason {
        line(format!("\nReason: {}", one_line(reason)));
    }
    line(String::new());
    if let Some(schedule) = &data.schedule {
        line(format!("Schedule: {}, due at {}", one_line(&schedule.name), schedule.due.to_rfc3339()));
        if let Some(first) = schedule.missed_since {
            line(format!("Earlier times from {} on were missed.", first.to_rfc3339()));
        }
    }
    line(format!("Ended: {}", notice.timestamp.to_rfc3339()));
    if let Some(rows) = data.rows {
        let changed = match data.changed {
            Some(true) => ", which differ from those of the run before",
            Some(false) => ", the same as those of the run before",
            None => "",
        };
        line(format!("Result: {}{changed}", counted(rows)));
    }
    if let Some(id) = &data.task_result_id {
        line(format!("Task result id: {id}"));
    }
    if let Some(arguments) = &data.arguments {
        line(format!("Arguments: {arguments}"));
    }
    if !data.messages.is_empty() {
        line("\nMessages:".into());
        for message in &data.messages {
            let weight = match message.severity {
                Severity::Info => "info",
                Severity::Warn => "warning",
                Severity::Error => "error",
            };
            line(format!("- {weight}: {}", one_line(&message.text)));
        }
    }
    if !data.files.is_empty() {
        line("\nFiles:".into());
        for file in &data.files {
            line(format!(
                "- {}, {}, {} bytes, SHA-256 {}",
                file.format,
                counted(file.rows),
                file.bytes,
                file.sha256
            ));
            if let Some(link) = &file.link {
                line(format!("  {link}"));
            }
        }
    }
    if let Some(about) = about_file {
        line(format!("\n{about}"));
    }
    text
}

/// The name of an attached file: the report's name without what file systems refuse.
pub(crate) fn file_name(name: &str, extension: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, ' ' | '-' | '_') { c } else { '_' };
    let name: String = name.chars().take(60).map(plain).collect();
    format!("{}.{extension}", name.trim())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mail_says_how_and_why_it_ended() {
        let failed = json!({
            "type": "report.failed",
            "timestamp": "2026-03-01T01:00:00Z",
            "data": {
                "name": "Accounts\r\nBcc: x@example.com",
                "taskResultId": "0123",
                "schedule": {"id": "s", "name": "Every morning", "due": "2026-03-01T00:59:00Z"},
                "reason": "the disk is full",
                "messages": [{"severity": "ERROR", "key": "attempt_failed", "text": "the disk is full"}],
            },
        });
        let notice: Notice = serde_json::from_value(failed).unwrap();
        assert_eq!(subject(&notice), "Accounts Bcc: x@example.com has failed");
        let expected = "Accounts Bcc: x@example.com has failed.\n\nReason: the disk is full\n\n\
            Schedule: Every morning, due at 2026-03-01T00:59:00+00:00\nEnded: 2026-03-01T01:00:00+00:00\n\
            Task result id: 0123\n\nMessages:\n- error: the disk is full\n";
        assert_eq!(body(&notice, None), expected);
    }

    #[test]
    fn a_mail_has_links_and_says_what_became_of_the_file() {
        let succeeded = json!({
            "type": "report.succeeded",
            "timestamp": "2026-03-01T01:00:00Z",
            "data": {
                "name": "Accounts", "rows": 1, "changed": true, "taskResultId": "0123",
                "files": [{"format": "CSV", "bytes": 9, "rows": 1, "sha256": "ab", "link": "https://m/files/csv"}],
                "arguments": {"query": "name:x"},
            },
        });
        let notice: Notice = serde_json::from_value(succeeded).unwrap();
        assert_eq!(subject(&notice), "Accounts has succeeded: 1 row");
        let expected = "Accounts has succeeded.\n\nEnded: 2026-03-01T01:00:00+00:00\n\
            Result: 1 row, which differ from those of the run before\nTask result id: 0123\n\
            Arguments: {\"query\":\"name:x\"}\n\nFiles:\n- CSV, 1 row, 9 bytes, SHA-256 ab\n  https://m/files/csv\n\n\
            The CSV file is attached.\n";
        assert_eq!(body(&notice, Some("The CSV file is attached.")), expected);
    }

    #[test]
    fn a_reviewer_is_told_what_to_do_until_when() {
        let notice = |kind: &str, items: u32, undecided: u32| -> Notice {
            let notice = json!({
                "type": kind, "timestamp": "2026-03-01T01:00:00Z",
                "data": {"name": "Spring\n2026", "review": {
                    "id": "0123", "reviewer": "bob", "items": items, "undecided": undecided, "ends": "2026-03-09T12:00:00Z",
                }},
            });
            serde_json::from_value(notice).unwrap()
        };
        assert_eq!(subject(&notice("review.opened", 12, 12)), "Spring 2026: 12 items for you to review");
        assert_eq!(subject(&notice("review.handed_over", 1, 1)), "Spring 2026: 1 item handed over to you");
        let ends = notice("review.ends", 12, 1);
        assert_eq!(subject(&ends), "Spring 2026: 1 item is not decided yet");
        let expected = "Access review Spring 2026: 1 item is not decided yet.\n\n\
            Please decide until: 2026-03-09T12:00:00+00:00\nReviewer: bob\nReview: 0123\n";
        assert_eq!(body(&ends, None), expected);
    }

    #[test]
    fn a_file_name_cannot_lead_out_of_a_folder() {
        assert_eq!(file_name("../../etc/passwd", "csv"), "______etc_passwd.csv");
        assert_eq!(file_name("Identities – Q3\n", "csv"), "Identities _ Q3_.csv");
    }
}
