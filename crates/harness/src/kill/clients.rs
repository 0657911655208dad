//! The clients, which send requests until the service is gone.

use super::ledger::Ledger;
use crate::history::{RecordingClient, Reply};
use crate::random::Random;

/// Starts, polls, fetches and cancels reports until an answer is not complete.
///
/// `stranger` is a client of another tenant, which must get nothing.
pub fn work(
    client: &RecordingClient<'_>,
    stranger: Option<&RecordingClient<'_>>,
    ledger: &Ledger,
    mut random: Random,
) {
    while step(client, stranger, ledger, &mut random) != Reply::Lost {}
    ledger.count_cut_off();
}

/// Sends a few requests; the reply to the last one.
fn step(
    client: &RecordingClient<'_>,
    stranger: Option<&RecordingClient<'_>>,
    ledger: &Ledger,
    random: &mut Random,
) -> Reply {
    let index = random.index(ledger.reports().len());
    let started = client.start(&ledger.reports()[index].report);
    let Reply::Accepted(id) = started else {
        if started != Reply::Lost {
            ledger.note(format!("a start was answered with {started:?}"));
        }
        return started;
    };
    ledger.accept(&id, index);
    match random.below(5) {
        0 => {
            // Noted before it is sent: if the answer is lost, nobody knows whether the request arrived.
            ledger.ask_cancel(&id);
            let reply = client.cancel(&id);
            if reply == Reply::Cancelled {
                ledger.confirm_cancel(&id);
            } else if !matches!(reply, Reply::TooLate | Reply::Lost) {
                ledger.note(format!("cancelling {id} gave {reply:?}"));
            }
            reply
        }
        1 => client.poll(&id),
        2 => match stranger {
            Some(stranger) => {
                stranger.poll(&id);
                stranger.cancel(&id);
                stranger.download(&id, true)
            }
            None => client.poll(&id),
        },
        _ => {
            let Some(earlier) = ledger.any_task(random) else { return Reply::Live };
            let reply = client.download(&earlier, random.below(2) == 0);
            if reply != Reply::Lost {
                ledger.check_download(&earlier, &reply);
            }
            reply
        }
    }
}
