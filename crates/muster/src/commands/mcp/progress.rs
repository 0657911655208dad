//! How far a report is, told to a program that asked to be told.

use muster_client::Progress;
use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};
use std::time::Instant;

/// Who is told, if anybody is.
pub struct Told {
    to: Option<(Peer<RoleServer>, ProgressToken)>,
    since: Instant,
}

impl Told {
    /// The program that made this request.
    pub fn to(context: &RequestContext<RoleServer>) -> Self {
        let token = context.meta.get_progress_token();
        Self { to: token.map(|token| (context.peer.clone(), token)), since: Instant::now() }
    }

    /// Whether somebody is told.
    pub fn is_wanted(&self) -> bool {
        self.to.is_some()
    }

    /// Tells how far the report is: its rows or, before the first, that time goes by. A program that has gone is not told.
    pub async fn tell(&self, progress: &Progress) {
        let Some((peer, token)) = &self.to else { return };
        // The protocol wants a number that grows. Seconds are fewer than rows, and come before them.
        let rows = progress.rows.unwrap_or(0) as f64;
        let mut told =
            ProgressNotificationParam::new(token.clone(), self.since.elapsed().as_secs_f64() + rows);
        if let Some(expected) = progress.rows_expected.filter(|_| progress.rows.is_some()) {
            told = told.with_total(self.since.elapsed().as_secs_f64() + expected as f64);
        }
        if let Some(text) = &progress.text {
            told = told.with_message(text.clone());
        }
        let _ = peer.notify_progress(told).await;
    }
}
