//! Access reviews: what is frozen stays, decisions are added, and an open review keeps its snapshot.

use super::at;
use crate::{acts, build};
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::caller::DataScope;
use muster_reports::error::Category;
use muster_reports::ids::{ClientId, ReviewId, SnapshotId, TenantId};
use muster_reports::ports::{AuditTrail, ReviewStore, SnapshotCatalogue, TaskStore};
use muster_reports::retention::RetentionPolicy;
use muster_reports::review::{
    Choice, Closing, Decision, FrozenAccess, HandOver, ListedReviewer, Review, ReviewItem, ReviewNews,
    ReviewPlan, Reviewer, ReviewerProgress, ReviewerRule, SheetOrigin, Told, WantedItems, digest_of,
    progress,
};
use std::sync::Arc;

/// Everything that a [`ReviewStore`] promises.
pub async fn review_store_contract<S: ReviewStore + SnapshotCatalogue + TaskStore + AuditTrail + 'static>(
    make: impl AsyncFn() -> Arc<S>,
) {
    a_review_reads_back_whole(&*make().await).await;
    decisions_are_added_until_the_close(&*make().await).await;
    an_open_review_keeps_its_snapshot(&*make().await).await;
    what_is_not_recorded_is_not_done(&*make().await).await;
    deciders_at_the_same_time_lose_nothing(make().await).await;
    a_page_has_what_is_asked_for(&*make().await).await;
    items_are_handed_over_and_stay_frozen(&*make().await).await;
    reviewers_are_told_once(&*make().await).await;
}

fn event(operation: AuditOperation) -> AuditEvent {
    acts::event(operation, &build::tenant(), at(0))
}

/// More items than are written in one statement, with every member and characters that databases dislike.
fn items(review: &ReviewId, count: u32) -> Vec<ReviewItem> {
    let item = |number: u32| {
        let reviewer =
            Reviewer { name: "bob".into(), id: "id-bob".into(), display_name: Some("B\u{0}b".into()) };
        let mut item = ReviewItem {
            number,
            frozen: FrozenAccess {
                identity_id: Some("i".into()),
                identity_name: Some("ada \u{0} \"".into()),
                source_id: build::SOURCE.into(),
                source_name: "Directory".into(),
                account_id: format!("a{number}"),
                native_identity: "cn=ada".into(),
                entitlement: number.is_multiple_of(2).then(|| "=1+1".into()),
                privileged: true,
                last_used: Some(at(7)),
                ..FrozenAccess::default()
            },
            reviewer: (!number.is_multiple_of(3)).then_some(reviewer),
            assigned: "manager".into(),
            digest: String::new(),
            handed_over: None,
            decision: None,
        };
        item.digest = item.computed_digest(review);
        item
    };
    (1..=count).map(item).collect()
}

fn review(id: &str, created: i64, items: &[ReviewItem]) -> Review {
    Review {
        id: ReviewId::new(id),
        plan: ReviewPlan {
            name: "Spring \u{0}".into(),
            reviewers: ReviewerRule::List,
            list: vec![ListedReviewer { reviewer: "bob".into(), ..ListedReviewer::default() }],
            fallback: Some("cleo".into()),
            sources: vec![build::SOURCE.into()],
            privileged: true,
            due_days: 14,
            comment_required: true,
            ends: Some(at(90)),
            remind_days: 0,
            tell: true,
        },
        snapshot: SnapshotId::new("s1"),
        frozen_at: at(1),
        scope: DataScope::of_sources([build::SOURCE]).expect("it is an id"),
        created: at(created),
        created_by: "root".into(),
        items: u32::try_from(items.len()).expect("there are few"),
        unassigned: 1,
        digest: digest_of(items),
        told: Some(Told {
            client: ClientId::new("c"),
            addresses: [("id-bob".to_owned(), "bob@example.com".to_owned())].into(),
        }),
        closing: None,
    }
}

fn decision(item: u32, choice: Choice, seconds: i64) -> Decision {
    Decision {
        item,
        choice,
        by: "bob".into(),
        at: at(seconds),
        seconds: Some(seconds),
        comment: Some("has \u{0} moved".into()),
        sheet: Some(SheetOrigin { sha256: "00".into(), given_by: "root".into() }),
        sequence: 0,
    }
}

fn closing(last_decision: u64) -> Closing {
    Closing { at: at(99), by: "root".into(), keep: 1, revoke: 2, undecided: 3, last_decision }
}

/// A review `r` of the snapshot `s1`, with so many items.
async fn with_review<S: ReviewStore + SnapshotCatalogue>(store: &S, count: u32) -> (Review, Vec<ReviewItem>) {
    let manifest = build::manifest("s1", at(1));
    acts::publish(store, &build::tenant(), &manifest).await.expect("it is published");
    let items = items(&ReviewId::new("r"), count);
    let review = review("r", 5, &items);
    let added = store.add_review(&review, &items, &[], &event(AuditOperation::ReviewChanged)).await;
    added.expect("it is kept");
    (review, items)
}

async fn a_review_reads_back_whole<S: ReviewStore + SnapshotCatalogue>(store: &S) {
    let tenant = build::tenant();
    let (kept, items) = with_review(store, 1_203).await;
    assert_eq!(store.review(&tenant, &kept.id).await.expect("the store answers").as_ref(), Some(&kept));
    assert_eq!(store.review_items(&tenant, &kept.id).await.expect("the store answers"), items);
    let stranger = TenantId::new("globex");
    assert_eq!(store.review(&stranger, &kept.id).await.expect("the store answers"), None);
    assert_eq!(store.review_items(&stranger, &kept.id).await.expect("the store answers"), []);
    assert_eq!(store.reviews(&stranger).await.expect("the store answers"), []);
    for (id, created) in [("q", 9), ("z", 5)] {
        let review = Review { id: ReviewId::new(id), created: at(created), ..kept.clone() };
        let added = store.add_review(&review, &[], &[], &event(AuditOperation::ReviewChanged)).await;
        added.expect("it is kept");
    }
    let listed = store.reviews(&tenant).await.expect("the store answers");
    let listed: Vec<_> = listed.iter().map(|review| review.id.as_str()).collect();
    assert_eq!(listed, ["q", "z", "r"], "the last created first; of one time, by id");
}

async fn decisions_are_added_until_the_close<S: ReviewStore + SnapshotCatalogue>(store: &S) {
    let tenant = build::tenant();
    let (review, _) = with_review(store, 3).await;
    let id = &review.id;
    let decided = AuditOperation::ReviewDecided;
    let first = [decision(1, Choice::Keep, 10), decision(3, Choice::Revoke, 10)];
    assert!(store.decide(id, &first, &event(decided)).await.expect("the store answers"));
    assert!(
        store
            .decide(id, &[decision(1, Choice::Revoke, 20)], &event(decided))
            .await
            .expect("the store answers")
    );
    let newest = async || {
        let items = store.review_items(&tenant, id).await.expect("the store answers");
        let of = |item: ReviewItem| {
            item.decision.map(|decision| (decision.choice, decision.at, decision.sequence))
        };
        items.into_iter().map(of).collect::<Vec<_>>()
    };
    let expected = [Some((Choice::Revoke, at(20), 3)), None, Some((Choice::Revoke, at(10), 2))];
    assert_eq!(newest().await, expected);
    let all = store.review_decisions(&tenant, id).await.expect("the store answers");
    let expected_all = [
        Decision { sequence: 1, ..decision(1, Choice::Keep, 10) },
        Decision { sequence: 2, ..decision(3, Choice::Revoke, 10) },
        Decision { sequence: 3, ..decision(1, Choice::Revoke, 20) },
    ];
    assert_eq!(all, expected_all, "a decision that was replaced stays");

    let changed = AuditOperation::ReviewChanged;
    let unknown = ReviewId::new("none");
    assert!(!store.decide(&unknown, &first, &event(decided)).await.expect("the store answers"));
    assert!(!store.close_review(&unknown, &closing(0), &event(changed)).await.expect("the store answers"));
    // Somebody who closes has seen two decisions only.
    assert!(!store.close_review(id, &closing(2), &event(changed)).await.expect("the store answers"));
    assert!(store.close_review(id, &closing(3), &event(changed)).await.expect("the store answers"));
    let closed = store.review(&tenant, id).await.expect("the store answers").expect("it is there");
    assert_eq!(closed, Review { closing: Some(closing(3)), ..review.clone() });
    assert!(!store.close_review(id, &closing(3), &event(changed)).await.expect("the store answers"));
    assert!(!store.decide(id, &first, &event(decided)).await.expect("the store answers"));
    assert_eq!(newest().await, expected);
}

async fn an_open_review_keeps_its_snapshot<S: ReviewStore + SnapshotCatalogue + TaskStore>(store: &S) {
    let tenant = build::tenant();
    let (review, items) = with_review(store, 1).await;
    for number in 2..=4 {
        let manifest = build::manifest(&format!("s{number}"), at(number));
        acts::publish(store, &tenant, &manifest).await.expect("it is published");
    }
    let policy = RetentionPolicy { keep_last: 1, keep_days: 0 };
    let expire = async || {
        let event = acts::event(AuditOperation::SnapshotExpired, &tenant, at(1_000));
        let expired = store.expire(&event, policy).await.expect("the store answers");
        expired.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(expire().await, "s3 s2");
    // A report of the review reads what followed it.
    assert!(
        store
            .close_review(&review.id, &closing(0), &event(AuditOperation::ReviewChanged))
            .await
            .expect("the store answers")
    );
    let arguments = build::arguments(&[("review", "r")]);
    let task = muster_reports::task::NewTask {
        snapshot: SnapshotId::new("s4"),
        arguments,
        ..build::new_task(1, at(0))
    };
    let task = super::start(store, task).await;
    acts::publish(store, &tenant, &build::manifest("s5", at(5))).await.expect("it is published");
    assert_eq!(expire().await, "");
    acts::cancel(store, &tenant, &task.id, at(6)).await.expect("the store answers");
    assert_eq!(expire().await, "s4 s1");
    let late = Review { id: ReviewId::new("late"), ..review };
    let refused = store.add_review(&late, &items, &[], &event(AuditOperation::ReviewChanged)).await;
    assert_eq!(refused.expect_err("its snapshot is gone").category, Category::NotFound);
}

async fn what_is_not_recorded_is_not_done<S: ReviewStore + SnapshotCatalogue>(store: &S) {
    let tenant = build::tenant();
    let (review, items) = with_review(store, 2).await;
    let taken = event(AuditOperation::ReviewDecided);
    let first = [decision(1, Choice::Keep, 1)];
    assert!(store.decide(&review.id, &first, &taken).await.expect("the store answers"));
    // The id of the event is taken, so none of these can be recorded.
    let other = Review { id: ReviewId::new("other"), ..review.clone() };
    assert!(store.add_review(&other, &items, &[], &taken).await.is_err());
    assert!(store.decide(&review.id, &[decision(2, Choice::Keep, 1)], &taken).await.is_err());
    assert!(store.close_review(&review.id, &closing(1), &taken).await.is_err());
    assert_eq!(store.reviews(&tenant).await.expect("the store answers"), std::slice::from_ref(&review));
    assert_eq!(store.review_decisions(&tenant, &review.id).await.expect("the store answers").len(), 1);
}

/// Of 1,203 items, each third one has no reviewer and the others are bob's.
async fn a_page_has_what_is_asked_for<S: ReviewStore + SnapshotCatalogue>(store: &S) {
    let tenant = build::tenant();
    let (review, items) = with_review(store, 1_203).await;
    let decided: Vec<_> = [1, 2, 600].map(|number| decision(number, Choice::Keep, 3)).into();
    let decided = store.decide(&review.id, &decided, &event(AuditOperation::ReviewDecided)).await;
    assert!(decided.expect("the store answers"));
    let more = [decision(2, Choice::Revoke, 4)];
    let more = store.decide(&review.id, &more, &event(AuditOperation::ReviewDecided)).await;
    assert!(more.expect("the store answers"));
    let whole = store.review_items(&tenant, &review.id).await.expect("the store answers");
    let text = |text: &str| text.to_owned();
    let everything = WantedItems::default;
    let asked = [
        WantedItems { limit: Some(2), ..everything() },
        WantedItems { after: 599, limit: Some(3), ..everything() },
        WantedItems { after: 1_203, ..everything() },
        WantedItems { reviewed_by: Some((text("id-bob"), text("nobody"))), limit: Some(4), ..everything() },
        WantedItems { reviewed_by: Some((text("nobody"), text("bob"))), after: 1_200, ..everything() },
        WantedItems { reviewed_by: Some((text("nobody"), text("nobody"))), ..everything() },
        WantedItems { reviewer: Some(text("bob")), undecided: true, limit: Some(2), ..everything() },
        WantedItems {
            sources: Some(vec![text("other"), text(build::SOURCE)]),
            limit: Some(1),
            ..everything()
        },
        WantedItems { sources: Some(vec![text("other")]), ..everything() },
        WantedItems { sources: Some(Vec::new()), ..everything() },
        WantedItems { numbers: Some((1..=1_203).rev().collect()), undecided: true, ..everything() },
        WantedItems { numbers: Some(vec![7, 7, 9_999]), ..everything() },
        WantedItems { numbers: Some(Vec::new()), ..everything() },
    ];
    for wanted in asked {
        let page = store.review_page(&tenant, &review.id, &wanted).await.expect("the store answers");
        let expected = whole.iter().filter(|item| wanted.wants(item));
        let expected: Vec<_> =
            expected.take(wanted.limit.map_or(usize::MAX, |limit| limit as usize)).cloned().collect();
        assert_eq!(page, expected, "{wanted:?}");
        let counted = store.review_progress(&tenant, &review.id, &wanted).await.expect("the store answers");
        let all = WantedItems { after: 0, limit: None, ..wanted.clone() };
        let all: Vec<_> = whole.iter().filter(|item| all.wants(item)).cloned().collect();
        // Numbers are those of a decision, and are not counted by.
        if wanted.numbers.is_none() {
            assert_eq!(counted, progress(&all), "{wanted:?}");
        }
    }
    let bob = items[0].reviewer.clone();
    let of = |reviewer, items, keep, revoke| ReviewerProgress { reviewer, items, keep, revoke };
    let counted = store.review_progress(&tenant, &review.id, &everything()).await.expect("the store answers");
    assert_eq!(counted, [of(bob, 802, 1, 1), of(None, 401, 1, 0)]);
    let stranger = TenantId::new("globex");
    let none = store.review_page(&stranger, &review.id, &everything()).await.expect("the store answers");
    assert_eq!(none, []);
}

async fn items_are_handed_over_and_stay_frozen<S: ReviewStore + SnapshotCatalogue + AuditTrail>(store: &S) {
    let tenant = build::tenant();
    let (review, items) = with_review(store, 4).await;
    let kept = [decision(1, Choice::Keep, 3)];
    let kept = store.decide(&review.id, &kept, &event(AuditOperation::ReviewDecided)).await;
    assert!(kept.expect("the store answers"));
    let to = Reviewer { name: "cleo".into(), id: "id-cleo".into(), display_name: None };
    let over = HandOver { to, by: "root".into(), at: at(4), reason: "on \u{0} leave".into() };
    let told = Told {
        client: ClientId::new("c"),
        addresses: [("id-cleo".to_owned(), "cleo@example.com".to_owned())].into(),
    };
    let changed = AuditOperation::ReviewChanged;
    let done = store.hand_over(&review.id, &[1, 3], &over, Some(&told), &[], &event(changed)).await;
    assert!(done.expect("the store answers"));
    let now = store.review_items(&tenant, &review.id).await.expect("the store answers");
    let names: Vec<_> =
        now.iter().map(|item| item.reviewer_now().map(|reviewer| reviewer.name.as_str())).collect();
    assert_eq!(names, [Some("cleo"), Some("bob"), Some("cleo"), Some("bob")]);
    assert_eq!(now[0].decision.as_ref().map(|decision| decision.choice), Some(Choice::Keep), "it stays");
    let frozen: Vec<_> =
        now.iter().map(|item| ReviewItem { handed_over: None, decision: None, ..item.clone() }).collect();
    assert_eq!(frozen, items, "what was frozen stays");
    assert!(now.iter().all(|item| item.digest == item.computed_digest(&review.id)));
    let theirs = WantedItems { reviewed_by: Some(("id-cleo".into(), "x".into())), ..WantedItems::default() };
    let theirs = store.review_page(&tenant, &review.id, &theirs).await.expect("the store answers");
    assert_eq!(theirs.iter().map(|item| item.number).collect::<Vec<_>>(), [1, 3]);
    let counted =
        store.review_progress(&tenant, &review.id, &WantedItems::default()).await.expect("the store answers");
    assert_eq!(counted, progress(&now));
    let read = store.review(&tenant, &review.id).await.expect("the store answers").expect("it is there");
    assert_eq!(read.told, Some(told));
    // Neither a review that is not there nor a closed one changes.
    let unknown = ReviewId::new("none");
    let refused = store.hand_over(&unknown, &[2], &over, None, &[], &event(changed)).await;
    assert!(!refused.expect("the store answers"));
    let closed = store.close_review(&review.id, &closing(1), &event(changed)).await;
    assert!(closed.expect("the store answers"));
    let refused = store.hand_over(&review.id, &[2], &over, None, &[], &event(changed)).await;
    assert!(!refused.expect("the store answers"));
    assert_eq!(store.review_items(&tenant, &review.id).await.expect("the store answers"), now);
}

async fn reviewers_are_told_once<S: ReviewStore + SnapshotCatalogue>(store: &S) {
    let tenant = build::tenant();
    // Its end is at 90.
    let (review, items) = with_review(store, 2).await;
    let due = async |now| {
        let due = store.reviews_to_remind(at(now), 10).await.expect("the store answers");
        due.into_iter().map(|(tenant, review)| (tenant, review.id)).collect::<Vec<_>>()
    };
    assert_eq!(due(89).await, []);
    assert_eq!(due(90).await, [(tenant.clone(), review.id.clone())]);
    let numbers = progress(&items);
    let news = review.notifications(&tenant, ReviewNews::Ends, &numbers, at(90));
    assert_eq!(news.len(), 1, "who has no address is not told");
    assert!(store.remind(&tenant, &review.id, &news).await.expect("the store answers"));
    assert_eq!(due(1_000).await, []);
    assert!(!store.remind(&tenant, &review.id, &news).await.expect("the store answers"), "once");
    // One that is closed ends before its end.
    let other = Review { id: ReviewId::new("other"), ..review.clone() };
    let changed = AuditOperation::ReviewChanged;
    store.add_review(&other, &[], &[], &event(changed)).await.expect("it is kept");
    assert!(store.close_review(&other.id, &closing(0), &event(changed)).await.expect("the store answers"));
    assert_eq!(due(1_000).await, []);
    assert!(!store.remind(&tenant, &other.id, &news).await.expect("the store answers"));
}

async fn deciders_at_the_same_time_lose_nothing<S: ReviewStore + SnapshotCatalogue + 'static>(store: Arc<S>) {
    let (review, _) = with_review(&*store, 40).await;
    let deciders = (1..=20).map(|number: u32| {
        let (store, id) = (store.clone(), review.id.clone());
        tokio::spawn(async move {
            let both = [decision(number, Choice::Keep, 1), decision(number + 20, Choice::Revoke, 1)];
            store.decide(&id, &both, &event(AuditOperation::ReviewDecided)).await
        })
    });
    let deciders: Vec<_> = deciders.collect();
    for decider in deciders {
        assert!(decider.await.expect("it does not panic").expect("the store answers"));
    }
    let all = store.review_decisions(&build::tenant(), &review.id).await.expect("the store answers");
    let sequences: Vec<_> = all.iter().map(|decision| decision.sequence).collect();
    assert_eq!(sequences, (1..=40).collect::<Vec<_>>());
    let items = store.review_items(&build::tenant(), &review.id).await.expect("the store answers");
    assert!(items.iter().all(|item| item.decision.is_some()));
}
