//! What the clients do until the service is gone.

use super::ledger::Ledger;
use crate::api::{Api, Called, Trouble};
use crate::random::Random;

/// Starts, polls, fetches and cancels reports until an answer does not come back whole.
pub fn work(api: &Api, ledger: &Ledger, mut random: Random) {
    loop {
        match step(api, ledger, &mut random) {
            Ok(()) => {}
            Err(Trouble::Broken(_)) => return ledger.count_cut_off(),
            Err(Trouble::Wrong(text)) => return ledger.note(text),
        }
    }
}

fn step(api: &Api, ledger: &Ledger, random: &mut Random) -> Called<()> {
    let index = usize::try_from(random.below(ledger.reports().len() as u64)).expect("an index fits");
    let id = api.start(&ledger.reports()[index].report)?;
    ledger.accept(&id, index);
    match random.below(4) {
        0 => {
            // Asked before it is sent: whether it arrived is not known when the answer is lost.
            ledger.ask_cancel(&id);
            match api.cancel(&id)? {
                204 => ledger.confirm_cancel(&id),
                400 => {}
                status => ledger.note(format!("cancelling {id} gave {status}")),
            }
        }
        1 => {
            api.outcome(&id)?;
        }
        _ => {
            if let Some(earlier) = ledger.any_task(random) {
                let file = api.csv(&earlier)?;
                ledger.check_download(&earlier, &file);
            }
        }
    }
    Ok(())
}
