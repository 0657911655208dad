//! The bounds on a task's messages.

use muster_reports::message::{Message, Severity};

/// Messages kept for a task, in addition to a note about omitted messages and to the errors that end the task.
const MESSAGES_MAX: usize = 1_000;
/// Bytes kept of one message text.
const TEXT_MAX: usize = 4_000;
/// Bytes kept of one message key.
const KEY_MAX: usize = 100;

/// Adds messages while there is room. A note says how many were left out.
pub(crate) fn add(messages: &mut Vec<Message>, more: Vec<Message>) {
    let mut left_out = 0_usize;
    let mut severity = Severity::Info;
    for message in more {
        if messages.len() < MESSAGES_MAX {
            messages.push(shortened(message));
            continue;
        }
        left_out += 1;
        if is_remark(&message) {
            severity = Severity::Warn;
        }
    }
    if left_out > 0 {
        let text = format!("{left_out} more messages were left out");
        messages.push(Message { severity, key: "messages_left_out".into(), text });
    }
}

/// Adds the error that ends a task; there is always room for it.
pub(crate) fn add_last(messages: &mut Vec<Message>, message: Message) {
    messages.push(shortened(message));
}

/// Whether a reader must know this message. Such a message makes a result `Warned`.
pub(crate) fn is_remark(message: &Message) -> bool {
    match message.severity {
        Severity::Info => false,
        Severity::Warn | Severity::Error => true,
    }
}

fn shortened(mut message: Message) -> Message {
    shorten(&mut message.text, TEXT_MAX);
    shorten(&mut message.key, KEY_MAX);
    message
}

fn shorten(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push('…');
    }
}
