//! Judges each read: how much of it can be used, which accounts it marks missing, and when it is refused.
//!
//! Rules, with the percentages of the source's definition:
//! - A read has failed if all its records were refused, or if it contains none of the known accounts.
//! - A read is not complete if more than `refused_max_percent` of its records were refused.
//! - A read marks accounts missing only if it is complete, if every refused record says whose it is, and if the missing
//!   accounts are within `delete_threshold_percent`.
//! - Missing accounts beyond the threshold are *held*: they are kept, are not counted again, and are marked missing
//!   when the source's losses are accepted.
//! - Losing more than that percentage of links stops the refresh.

use super::RefreshRequest;
use super::SourceInput;
use super::incremental::Recompute;
use super::stage::StagedSource;
use super::steps::{self, Step};
use super::work::{self, Work, texts};
use crate::error::Result;
use muster_reports::snapshot::AggregationMode;
use muster_sources::definition::exceeds;
use std::collections::BTreeMap;

/// What a source's read does to accounts that it does not contain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct MissingAction {
    /// They are marked missing.
    pub(super) mark: bool,
    /// They are held from now on.
    pub(super) hold: bool,
    /// Accounts that were held before are marked missing, too.
    pub(super) accept: bool,
}

/// Numbers of a source, by its id.
type BySource<const N: usize> = BTreeMap<String, [u64; N]>;

async fn by_source<const N: usize>(work: &Work, step: &Step) -> Result<BySource<N>> {
    let rows = work.rows(step, &[]).await?;
    let mut found: BySource<N> = texts(&rows, 0).map(|id| (id, [0; N])).collect();
    for column in 0..N {
        for (id, number) in texts(&rows, 0).zip(work::counts(step.name, &rows, column + 1)?) {
            found.entry(id).and_modify(|numbers| numbers[column] = number);
        }
    }
    Ok(found)
}

fn of<const N: usize>(found: &BySource<N>, source: &StagedSource) -> [u64; N] {
    found.get(source.outcome.run.id.as_str()).copied().unwrap_or([0; N])
}

impl StagedSource {
    /// Fails the source: nothing of the read is used.
    pub(super) fn fail(&mut self, reason: String) {
        self.outcome.run.complete = false;
        self.outcome.run.remark = Some(reason.clone());
        self.outcome.failure = Some(reason);
    }

    /// Adds a remark for readers.
    pub(super) fn remark(&mut self, text: String) {
        let remark = &mut self.outcome.run.remark;
        *remark = Some(match remark.take() {
            Some(earlier) => format!("{earlier}; {text}"),
            None => text,
        });
    }

    fn was_read(&self) -> bool {
        !self.outcome.carried && self.outcome.failure.is_none()
    }
}

/// How to accept a source's losses, for people.
fn way_out(name: &str) -> String {
    format!("`muster refresh --accept-missing {name:?}` accepts it")
}

/// Fails the sources whose rules name an identity attribute that no identity profile provides. Such a rule would link
/// no account, without a message.
pub(super) fn check_rules(request: &RefreshRequest, staged: &mut [StagedSource]) {
    let all: Vec<_> = request.sources.iter().map(|input| input.definition.clone()).collect();
    for (source, input) in staged.iter_mut().zip(&request.sources) {
        let unmapped = muster_sources::unmapped_identity_attributes(&input.definition, &all);
        if source.outcome.failure.is_none() && !unmapped.is_empty() {
            source.fail(unmapped.join("; "));
        }
    }
}

/// For each source, checks whether too many records were refused, and whether any known account was found.
pub(super) async fn check_reads(
    work: &Work,
    request: &RefreshRequest,
    staged: &mut [StagedSource],
) -> Result<()> {
    let records: BySource<2> = by_source(work, &steps::RECORDS_KNOWN).await?;
    let live: BySource<1> = by_source(work, &steps::ACCOUNTS_KNOWN).await?;
    for (source, input) in staged.iter_mut().zip(&request.sources).filter(|(source, _)| source.was_read()) {
        check_refused(source, input);
        let ([records, known], [live]) = (of(&records, source), of(&live, source));
        let [records, known, live] = [records, known, live].map(|number| number + source.equal);
        let is_new =
            source.outcome.run.mode == AggregationMode::Full && records > 0 && known == 0 && live > 0;
        let may_go = input.definition.delete_threshold_percent == 100 || request.accepts(input);
        if source.was_read() && is_new && !may_go {
            source.fail(format!(
                "none of its {records} native identities was known, and none of the {live} known ones was read: \
                 has the column of the native identity changed? {}",
                way_out(&input.definition.name)
            ));
        }
    }
    Ok(())
}

fn check_refused(source: &mut StagedSource, input: &SourceInput) {
    let run = &source.outcome.run;
    let (read, rejected) = (run.read, run.rejected);
    let percent = input.definition.refused_max_percent;
    if rejected > 0 && rejected >= read {
        let first = source.outcome.rejections.first().map_or_else(String::new, |first| {
            let line = if first.line > 0 { format!("line {}: ", first.line) } else { String::new() };
            format!("; the first: {line}{}", first.reason)
        });
        source.fail(format!("all {rejected} records were refused{first}"));
    } else if exceeds(rejected, percent, read) {
        source.outcome.run.complete = false;
        source.remark(format!(
            "{rejected} of {read} records were refused, more than refused_max_percent of {percent}: the read is not complete"
        ));
    }
}

/// For each source, decides what happens to the accounts that the read does not contain.
pub(super) async fn missing(
    work: &Work,
    request: &RefreshRequest,
    staged: &mut [StagedSource],
) -> Result<BTreeMap<String, MissingAction>> {
    let accounts: BySource<3> = by_source(work, &steps::MISSING_ACCOUNTS).await?;
    let nameless: BySource<1> = by_source(work, &steps::REJECTED_OF_NOBODY).await?;
    let mut found = BTreeMap::new();
    for (source, input) in staged.iter_mut().zip(&request.sources).filter(|(source, _)| source.was_read()) {
        let ([live, gone, held], [nameless]) = (of(&accounts, source), of(&nameless, source));
        let live = live + source.equal;
        let missing = what_is_missing(source, input, request.accepts(input), [live, gone, held, nameless]);
        found.insert(source.outcome.run.id.as_str().to_owned(), missing);
    }
    Ok(found)
}

fn what_is_missing(
    source: &mut StagedSource,
    input: &SourceInput,
    accept: bool,
    [live, gone, held, nameless]: [u64; 4],
) -> MissingAction {
    if source.outcome.run.complete {
        source.missing = [gone, live];
    }
    if !source.outcome.run.complete || gone + held == 0 {
        // An incomplete read marks nothing missing. Its remark says why it is incomplete.
        return MissingAction::default();
    }
    if nameless > 0 {
        source.remark(format!(
            "{} accounts are missing, and {nameless} refused records have no native identity: the accounts were kept",
            gone + held
        ));
        return MissingAction::default();
    }
    if accept {
        return MissingAction { mark: true, hold: false, accept: true };
    }
    let (name, threshold) = (&input.definition.name, input.definition.delete_threshold_percent);
    let hold = exceeds(gone, threshold, live);
    if hold {
        source.remark(format!(
            "{gone} of {live} accounts are missing, more than the delete threshold of {threshold} percent: they were kept; {}",
            way_out(name)
        ));
    }
    if held > 0 {
        source.remark(format!(
            "{held} accounts have been missing since an earlier read and were kept, because they exceeded the delete threshold; {}",
            way_out(name)
        ));
    }
    MissingAction { mark: !hold, hold, accept: false }
}

/// Fails the sources that lose more links than the threshold allows. Returns whether there are any.
pub(super) async fn check_links(
    work: &Work,
    request: &RefreshRequest,
    recompute: &Recompute,
    staged: &mut [StagedSource],
) -> Result<bool> {
    if !recompute.everything {
        let lost: BySource<1> = by_source(work, &steps::LOST_OF_NOW).await?;
        if lost.values().all(|[lost]| *lost <= 1) {
            return Ok(false);
        }
    }
    let links: BySource<2> = by_source(work, &steps::LOST_LINKS).await?;
    let mut stopped = false;
    for (source, input) in staged.iter_mut().zip(&request.sources) {
        let [before, lost] = of(&links, source);
        let threshold = input.definition.delete_threshold_percent;
        // A single lost link is a change of one person, even in a small source.
        if lost > 1 && exceeds(lost, threshold, before) && !request.accepts(input) {
            source.outcome.failure = Some(format!(
                "{lost} of {before} linked accounts would lose their identity, more than the threshold of {threshold} \
                 percent; {}",
                way_out(&input.definition.name)
            ));
            stopped = true;
        }
    }
    Ok(stopped)
}

impl RefreshRequest {
    /// Whether the losses of this source are accepted.
    fn accepts(&self, input: &SourceInput) -> bool {
        self.accept_missing.contains(&input.definition.id)
    }
}
