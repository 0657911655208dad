//! What the service tells systemd: that it is ready, that it stops, and that it still runs. Without systemd, nothing.

use sd_notify::{NotifyState, notify, watchdog_enabled};
use tokio_util::sync::CancellationToken;

/// The service answers requests from now on.
pub fn ready() {
    tell(NotifyState::Ready);
}

/// The service stops.
pub fn stopping() {
    tell(NotifyState::Stopping);
}

/// Tells systemd at half of its interval that the process still runs, until `stopping`. If the runtime hangs, systemd
/// restarts the service (`WatchdogSec`).
pub async fn watchdog(stopping: CancellationToken) {
    let Some(interval) = watchdog_enabled() else { return };
    while !stopping.is_cancelled() {
        tell(NotifyState::Watchdog);
        tokio::select! {
            () = tokio::time::sleep(interval / 2) => {}
            () = stopping.cancelled() => {}
        }
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told the state of the service");
    }
}
