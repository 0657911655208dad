//! What is remembered of the pages of searches, so that a following page continues where the page before it ended.
//!
//! A published client names the page before by the sort values of its last document, and nothing else. So it is
//! remembered which document those values were of, and in which snapshot. It is kept in memory, for a while.
//!
//! Invariant: a following page is either the continuation of exactly one page, or refused. So no document is left out or
//! repeated without an error.

use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::error::{Error, Result};
use muster_reports::ids::SnapshotId;
use std::collections::HashMap;

/// SHA-256 of a search, or of sort values.
pub(super) type Digest = [u8; 32];

/// How long a page can be continued.
const KEPT_FOR: TimeDelta = TimeDelta::minutes(10);

/// Most pages that are remembered. When there are more, those of the search that rested longest are forgotten.
const PAGES_MAX: usize = 5_000;

/// Most bytes of the sort values that a page can be continued from.
pub(super) const POSITION_BYTES_MAX: usize = 4 * 1024;

/// What all pages of a search read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// The snapshot.
    pub(super) snapshot: SnapshotId,
    /// The time that `now` in the query means.
    pub(super) now: DateTime<Utc>,
}

/// Where pages with the same sort values ended.
#[derive(PartialEq)]
pub(super) enum End<P> {
    /// At this position.
    At(P),
    /// At several positions, because documents of several pages share the values.
    Several,
    /// At a position that is not kept, because its values have more than [`POSITION_BYTES_MAX`] bytes.
    TooLong,
}

/// Pages of one search over one view.
struct Paging<P> {
    view: View,
    began: DateTime<Utc>,
    used: DateTime<Utc>,
    /// First pages less last pages: how many clients may be paging.
    readers: u32,
    /// By the sort values of their last documents: where they ended, and when that was told.
    ends: HashMap<Digest, (End<P>, DateTime<Utc>)>,
}

/// The pages of all searches; `P` is a position in a search's order.
pub(super) struct Pages<P> {
    searches: HashMap<Digest, Vec<Paging<P>>>,
}

impl<P> Default for Pages<P> {
    fn default() -> Self {
        Self { searches: HashMap::new() }
    }
}

impl<P: Clone + PartialEq> Pages<P> {
    /// The view of a first page. The view of the same search is shared if it has the same snapshot and is young, so that
    /// repeated first pages do not make views that differ in nothing but `now`.
    pub(super) fn first(&mut self, search: &Digest, view: View, now: DateTime<Utc>) -> View {
        self.forget_old(now);
        let known = self.searches.get(search).into_iter().flatten();
        let mut young =
            known.filter(|paging| paging.view.snapshot == view.snapshot && now - paging.began < KEPT_FOR);
        young.next().map_or(view, |paging| paging.view.clone())
    }

    /// Remembers where a page of `search` ended, whose last document has these sort values.
    pub(super) fn handed(
        &mut self,
        search: Digest,
        view: View,
        is_first: bool,
        values: Digest,
        end: End<P>,
        now: DateTime<Utc>,
    ) {
        let pagings = self.searches.entry(search).or_default();
        let at = pagings.iter().position(|paging| paging.view == view).unwrap_or_else(|| {
            pagings.push(Paging { view, began: now, used: now, readers: 0, ends: HashMap::new() });
            pagings.len() - 1
        });
        let paging = &mut pagings[at];
        paging.used = now;
        paging.readers += u32::from(is_first);
        let end = match paging.ends.remove(&values) {
            Some((before, _)) if before != end => End::Several,
            Some(_) | None => end,
        };
        paging.ends.insert(values, (end, now));
        self.keep_few(&search);
    }

    /// The view of a following page, and the position that it continues from.
    ///
    /// # Errors
    /// `Invalid` when no page of the search ended with these values, or it is not remembered any more, or more than one
    /// page ended with them.
    pub(super) fn following(
        &mut self,
        search: &Digest,
        values: &Digest,
        now: DateTime<Utc>,
    ) -> Result<(View, P)> {
        self.forget_old(now);
        let pagings = self.searches.get_mut(search).map_or(&mut [][..], |pagings| &mut pagings[..]);
        let mut found = pagings.iter_mut().filter(|paging| paging.ends.contains_key(values));
        let Some(paging) = found.next() else {
            return Err(Error::invalid(format!(
                "searchAfter names no page of this search that this process knows: expected the sort values of the last \
                 document of a page of the same search, made at most {} minutes ago; repeat the search from its first \
                 page",
                KEPT_FOR.num_minutes()
            )));
        };
        if found.next().is_some() {
            self.searches.remove(search);
            return Err(Error::invalid(
                "searchAfter names pages of two snapshots, because this search was begun again after a refresh: repeat \
                 the search from its first page",
            ));
        }
        paging.used = now;
        match &paging.ends[values].0 {
            End::At(position) => Ok((paging.view.clone(), position.clone())),
            End::Several => Err(Error::invalid(
                "searchAfter names several pages of this search, because documents of several pages have the same sort \
                 values: sort by a field that tells documents apart, such as id, alone or as the last one",
            )),
            End::TooLong => Err(Error::invalid(format!(
                "searchAfter has more than {POSITION_BYTES_MAX} bytes: expected shorter values; sort by other fields"
            ))),
        }
    }

    /// A client has read the last page.
    pub(super) fn ended(&mut self, search: &Digest, view: &View) {
        let Some(pagings) = self.searches.get_mut(search) else { return };
        pagings.retain_mut(|paging| {
            let is_read = paging.view == *view;
            paging.readers = paging.readers.saturating_sub(u32::from(is_read));
            !is_read || paging.readers > 0
        });
        if pagings.is_empty() {
            self.searches.remove(search);
        }
    }

    fn forget_old(&mut self, now: DateTime<Utc>) {
        self.searches.retain(|_, pagings| {
            pagings.retain_mut(|paging| {
                paging.ends.retain(|_, (_, told)| now - *told < KEPT_FOR);
                !paging.ends.is_empty()
            });
            !pagings.is_empty()
        });
    }

    fn keep_few(&mut self, but: &Digest) {
        let count = |pagings: &Vec<Paging<P>>| pagings.iter().map(|paging| paging.ends.len()).sum::<usize>();
        while self.searches.values().map(count).sum::<usize>() > PAGES_MAX {
            let used = |pagings: &Vec<Paging<P>>| pagings.iter().map(|paging| paging.used).max();
            let others = self.searches.iter().filter(|(search, _)| *search != but);
            let rested = others.min_by_key(|(_, pagings)| used(pagings)).map(|(search, _)| *search);
            // A search alone has too many: it begins again.
            self.searches.remove(rested.as_ref().unwrap_or(but));
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn view(snapshot: &str, now: i64) -> View {
        View { snapshot: SnapshotId::new(snapshot), now: at(now) }
    }

    /// A digest with this number.
    fn digest(number: usize) -> Digest {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        digest
    }

    fn refusal<T: std::fmt::Debug>(outcome: Result<T>) -> String {
        outcome.unwrap_err().message
    }

    const SEARCH: Digest = [1; 32];

    #[test]
    fn a_page_continues_where_the_page_before_it_ended_in_the_same_view() {
        let mut pages = Pages::default();
        let first = pages.first(&SEARCH, view("s1", 0), at(0));
        pages.handed(SEARCH, first.clone(), true, digest(1), End::At(250), at(0));
        let (second, position) = pages.following(&SEARCH, &digest(1), at(599)).unwrap();
        assert_eq!((&second, position), (&view("s1", 0), 250));
        // A client that did not get the answer repeats its request.
        pages.handed(SEARCH, second, false, digest(2), End::At(500), at(599));
        assert_eq!(pages.following(&SEARCH, &digest(1), at(599)).unwrap().1, 250);
        assert_eq!(pages.following(&SEARCH, &digest(2), at(1_198)).unwrap().1, 500);
        // Ten minutes after a page was handed out, it is forgotten.
        assert!(refusal(pages.following(&SEARCH, &digest(2), at(1_199))).contains("no page of this search"));
        assert!(refusal(pages.following(&[2; 32], &digest(2), at(0))).contains("no page of this search"));
    }

    #[test]
    fn pages_of_two_snapshots_are_never_mixed() {
        let mut pages = Pages::default();
        pages.handed(SEARCH, view("s1", 0), true, digest(1), End::At(250), at(0));
        // The search is begun again over the next snapshot, whose first page ends with the same values.
        let again = pages.first(&SEARCH, view("s2", 9), at(9));
        assert_eq!(again, view("s2", 9));
        pages.handed(SEARCH, again, true, digest(1), End::At(250), at(9));
        assert!(refusal(pages.following(&SEARCH, &digest(1), at(10))).contains("two snapshots"));
        // After that, the search can begin again.
        let again = pages.first(&SEARCH, view("s2", 11), at(11));
        pages.handed(SEARCH, again, true, digest(1), End::At(250), at(11));
        assert_eq!(pages.following(&SEARCH, &digest(1), at(12)).unwrap().0, view("s2", 11));
    }

    #[test]
    fn a_search_that_was_read_to_its_end_does_not_disturb_the_next_one() {
        let mut pages = Pages::default();
        // Two clients read the same pages.
        for _ in 0..2 {
            let view = pages.first(&SEARCH, view("s1", 0), at(0));
            pages.handed(SEARCH, view, true, digest(1), End::At(250), at(0));
        }
        pages.ended(&SEARCH, &view("s1", 0));
        assert_eq!(pages.following(&SEARCH, &digest(1), at(1)).unwrap().1, 250);
        pages.ended(&SEARCH, &view("s1", 0));
        let next = pages.first(&SEARCH, view("s2", 2), at(2));
        pages.handed(SEARCH, next, true, digest(1), End::At(250), at(2));
        assert_eq!(pages.following(&SEARCH, &digest(1), at(3)).unwrap().0, view("s2", 2));
    }

    #[test]
    fn values_that_name_several_pages_are_refused() {
        let mut pages = Pages::default();
        pages.handed(SEARCH, view("s1", 0), true, digest(1), End::At(250), at(0));
        pages.handed(SEARCH, view("s1", 0), false, digest(1), End::At(500), at(1));
        assert!(refusal(pages.following(&SEARCH, &digest(1), at(2))).contains("such as id"));
    }

    #[test]
    fn a_first_page_shares_a_young_view_of_its_snapshot() {
        let mut pages = Pages::default();
        pages.handed(SEARCH, view("s1", 0), true, digest(1), End::At(250), at(0));
        assert_eq!(pages.first(&SEARCH, view("s1", 500), at(500)), view("s1", 0));
        assert_eq!(pages.first(&SEARCH, view("s2", 500), at(500)), view("s2", 500));
        pages.handed(SEARCH, view("s1", 0), false, digest(2), End::At(500), at(500));
        assert_eq!(pages.first(&SEARCH, view("s1", 600), at(600)), view("s1", 600), "it is old");
    }

    #[test]
    fn so_many_pages_are_remembered_and_no_more() {
        let mut pages = Pages::default();
        pages.handed([9; 32], view("s1", 0), true, digest(0), End::At(0), at(0));
        for number in 0..PAGES_MAX {
            pages.handed(SEARCH, view("s1", 0), number == 0, digest(number), End::At(number), at(1));
        }
        assert!(pages.following(&[9; 32], &digest(0), at(1)).is_err(), "it rested longest");
        assert!(pages.following(&SEARCH, &digest(0), at(1)).is_ok());
        pages.handed(SEARCH, view("s1", 0), false, digest(PAGES_MAX), End::At(0), at(1));
        assert!(pages.searches.is_empty());
    }
}
