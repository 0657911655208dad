//! The protocol is correct in every order of steps, and the checker finds each removed check.

use super::*;
use stateright::Checker;

/// Tries every order. Prints the number of states, because a small number would mean that little was tried.
fn checked(protocol: Protocol) -> impl Checker<Protocol> {
    let name = format!("{:?}", protocol.breakage);
    let checker = protocol.checker().spawn_bfs().join();
    println!("{name}: {} states", checker.unique_state_count());
    checker
}

#[test]
fn the_protocol_keeps_every_property() {
    let checker = checked(Protocol::sound());
    assert!(checker.is_done(), "every state was visited");
    assert!(checker.unique_state_count() > 1_000, "the bounds leave something to try");
    checker.assert_properties();
}

/// `eventually` alone would not be enough, because the checker looks at only one path to each state. But attempts,
/// crashes and starts are bounded, so no step can repeat for ever, and every live task can move (a property above). So
/// every path ends, and at its end no task is live.
#[test]
fn a_way_ends_with_nothing_live() {
    let protocol = Protocol::sound();
    let mut seen = std::collections::HashSet::new();
    let mut open = protocol.init_states();
    let mut ends = 0;
    while let Some(state) = open.pop() {
        if !seen.insert(state.clone()) {
            continue;
        }
        let mut steps = Vec::new();
        protocol.actions(&state, &mut steps);
        if steps.is_empty() {
            ends += 1;
            assert!(state.accepted.iter().all(Option::is_some), "{state:?}");
            assert!(state.tasks.iter().all(|task| !task.state.is_live()), "{state:?}");
        }
        open.extend(steps.into_iter().filter_map(|step| protocol.next_state(&state, step)));
    }
    assert!(ends > 1, "there are several ways to end");
}

/// The path to the broken rule, and its last state.
fn found(breakage: Breakage, rule: &'static str) -> (Vec<Step>, State) {
    let path = checked(Protocol::broken(breakage)).discovery(rule).expect("the checker finds it");
    let last = path.last_state().clone();
    let steps = path.into_actions();
    println!("{breakage:?}, {rule}: {steps:?}");
    (steps, last)
}

#[test]
fn without_the_epoch_two_results_are_published() {
    let (steps, last) = found(Breakage::FinishWithoutEpoch, "no two results of one task");
    assert!(steps.iter().filter(|step| matches!(step, Step::Finish(_))).count() >= 2, "{steps:?}");
    assert!(last.tasks.iter().any(|task| task.published == 2 && task.epoch >= 2), "{last:?}");
}

#[test]
fn without_asking_for_the_cancel_a_cancelled_task_succeeds() {
    let (steps, last) = found(Breakage::FinishAfterCancel, "a cancelled task never succeeds");
    let cancel = steps.iter().position(|step| matches!(step, Step::Cancel(_))).expect("it was cancelled");
    assert!(steps[cancel..].iter().any(|step| matches!(step, Step::Finish(_))), "{steps:?}");
    assert!(last.tasks.iter().any(|task| task.cancel_confirmed && task.published == 1), "{last:?}");
    found(Breakage::FinishAfterCancel, "an end state never changes");
}

#[test]
fn without_looking_two_tasks_of_a_key_are_live() {
    let (_, last) = found(Breakage::StartWithoutLooking, "one live task of a key");
    assert_eq!(last.tasks.iter().filter(|task| task.state.is_live()).count(), 2, "{last:?}");
}
