#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::assign::assign;
use super::sheet::{COLUMNS, COMMENT, DECISION, Sheet, SheetDecision, cells, reconcile};
use super::*;

/// Five people: cleo is above bob, bob is above ada and dan, and eve manages herself.
fn people() -> Vec<PersonOfSnapshot> {
    let person = |name: &str, manager: Option<&str>, status: &str| PersonOfSnapshot {
        id: format!("id-{name}"),
        name: name.into(),
        display_name: Some(name.to_uppercase()),
        status: Some(status.into()),
        manager_id: manager.map(|name| format!("id-{name}")),
    };
    vec![
        person("ada", Some("bob"), "ACTIVE"),
        person("bob", Some("cleo"), "ACTIVE"),
        person("cleo", None, "ACTIVE"),
        person("dan", Some("gus"), "ACTIVE"),
        person("eve", Some("eve"), "ACTIVE"),
        person("gus", Some("cleo"), "TERMINATED"),
    ]
}

fn access(identity: Option<&str>, source: &str, account: &str, entitlement: Option<&str>) -> FrozenAccess {
    FrozenAccess {
        identity_id: identity.map(|name| format!("id-{name}")),
        identity_name: identity.map(str::to_owned),
        source_id: format!("id-{source}"),
        source_name: source.into(),
        account_id: format!("{source}-{account}"),
        native_identity: account.into(),
        entitlement: entitlement.map(str::to_owned),
        ..FrozenAccess::default()
    }
}

fn plan(reviewers: ReviewerRule) -> ReviewPlan {
    ReviewPlan {
        name: "Spring".into(),
        reviewers,
        list: Vec::new(),
        fallback: None,
        sources: Vec::new(),
        privileged: false,
        due_days: 14,
        comment_required: false,
        ends: None,
        remind_days: 0,
        tell: false,
    }
}

fn population() -> Population {
    Population {
        access: vec![
            access(Some("ada"), "SAP", "a1", Some("FI")),
            access(Some("ada"), "SAP", "a1", Some("CO")),
            access(Some("bob"), "SAP", "b1", None),
            access(Some("cleo"), "Mail", "c1", Some("admins")),
            access(Some("dan"), "Mail", "d1", Some("admins")),
            access(Some("eve"), "Mail", "e1", None),
            access(None, "Mail", "orphan", Some("admins")),
        ],
        people: people(),
        owners: [(SourceId::new("id-Mail"), "bob".to_owned())].into(),
    }
}

/// Each item as identity, entitlement, reviewer, why.
fn assigned(plan: &ReviewPlan) -> Vec<String> {
    let items = assign(plan, &ReviewId::new("r"), population()).unwrap();
    let shown = |item: &ReviewItem| {
        let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        format!(
            "{} {} {} -> {} [{}]",
            item.number,
            or_dash(item.frozen.identity_name.as_deref()),
            or_dash(item.frozen.entitlement.as_deref()),
            or_dash(item.reviewer.as_ref().map(|reviewer| reviewer.name.as_str())),
            item.assigned
        )
    };
    items.iter().map(shown).collect()
}

#[test]
fn managers_review_and_who_is_passed_over_is_said() {
    assert_eq!(
        assigned(&plan(ReviewerRule::Manager)),
        [
            "1 ada CO -> bob [manager]",
            "2 ada FI -> bob [manager]",
            "3 bob - -> cleo [manager]",
            "4 cleo admins -> - [nobody: the identity has no manager]",
            "5 dan admins -> cleo [not gus, the manager: their status is TERMINATED; manager above]",
            "6 eve - -> - [nobody: not eve, the manager: it is access of their own]",
            "7 - admins -> - [nobody: the account belongs to no identity]",
        ]
    );
    let with_fallback = ReviewPlan { fallback: Some("cleo".into()), ..plan(ReviewerRule::Manager) };
    let found = assigned(&with_fallback);
    assert_eq!(
        found[3],
        "4 cleo admins -> - [nobody: the identity has no manager; not cleo, the fallback: it is access of their own]"
    );
    assert_eq!(found[5], "6 eve - -> cleo [not eve, the manager: it is access of their own; fallback]");
    assert_eq!(found[6], "7 - admins -> cleo [the account belongs to no identity; fallback]");
}

#[test]
fn owners_of_sources_and_lists_name_reviewers() {
    let owners = assigned(&plan(ReviewerRule::SourceOwner));
    assert_eq!(owners[2], "3 bob - -> - [nobody: the source has no owner]");
    assert_eq!(owners[4], "5 dan admins -> bob [owner of the source]");
    let line = |source: Option<&str>, entitlement: Option<&str>, identity: Option<&str>, reviewer: &str| {
        ListedReviewer {
            source: source.map(str::to_owned),
            entitlement: entitlement.map(str::to_owned),
            identity: identity.map(str::to_owned),
            reviewer: reviewer.into(),
        }
    };
    let listed = ReviewPlan {
        list: vec![
            line(Some("Mail"), Some("admins"), None, "cleo"),
            line(None, Some("admins"), None, "ada"),
            line(Some("id-SAP"), None, Some("ada"), "dan"),
        ],
        ..plan(ReviewerRule::List)
    };
    assert_eq!(
        assigned(&listed),
        [
            "1 ada CO -> dan [reviewer of line 3 of the list]",
            "2 ada FI -> dan [reviewer of line 3 of the list]",
            "3 bob - -> - [nobody: no line of the list fits]",
            "4 cleo admins -> ada [not cleo, the reviewer of line 1 of the list: it is access of their own; reviewer of line 2 of \
             the list]",
            "5 dan admins -> cleo [reviewer of line 1 of the list]",
            "6 eve - -> - [nobody: no line of the list fits]",
            "7 - admins -> cleo [reviewer of line 1 of the list]",
        ]
    );
    let unknown = ReviewPlan { list: vec![line(None, None, None, "zed")], ..plan(ReviewerRule::List) };
    let refused = assign(&unknown, &ReviewId::new("r"), population()).unwrap_err();
    assert_eq!(refused.message, "list, line 1: nobody is called \"zed\": expected the name of an identity");
}

fn review() -> (Review, Vec<ReviewItem>) {
    let id = ReviewId::new("0123456789abcdef0123456789abcdef");
    let plan = ReviewPlan { comment_required: true, ..plan(ReviewerRule::Manager) };
    let items = assign(&plan, &id, population()).unwrap();
    let review = Review {
        id,
        plan,
        snapshot: SnapshotId::new("s"),
        frozen_at: DateTime::UNIX_EPOCH,
        scope: DataScope::Everything,
        created: DateTime::UNIX_EPOCH,
        created_by: "root".into(),
        items: 7,
        unassigned: 3,
        digest: digest_of(&items),
        told: None,
        closing: None,
    };
    (review, items)
}

#[test]
fn an_item_that_was_changed_is_noticed() {
    let (review, items) = review();
    check_frozen(&review, &items).unwrap();
    let mut changed = items.clone();
    changed[1].frozen.entitlement = Some("none".into());
    assert!(check_frozen(&review, &changed).unwrap_err().message.starts_with("item 2 of review"));
    // Who changes the digest of the item, too, is noticed by that of the review.
    changed[1].digest = changed[1].computed_digest(&review.id);
    assert!(check_frozen(&review, &changed).unwrap_err().message.contains("7 items that are not those"));
    assert!(check_frozen(&review, &items[1..]).is_err());
    let mut reassigned = items;
    reassigned[0].reviewer = reassigned[2].reviewer.clone();
    assert!(check_frozen(&review, &reassigned).is_err());
}

/// The sheet of bob, who reviews items 1 and 2, on lines 2 and 3.
fn sheet(review: &Review, items: &[ReviewItem], decisions: [(&str, &str); 2]) -> Sheet {
    let mut rows = vec![(1, COLUMNS.map(str::to_owned).to_vec())];
    for ((line, item), (decision, comment)) in (2..).zip(items).zip(decisions) {
        let mut row = cells(review, item).to_vec();
        for (name, value) in [(DECISION, decision), (COMMENT, comment)] {
            row[COLUMNS.iter().position(|column| *column == name).unwrap()] = value.to_owned();
        }
        rows.push((line, row));
    }
    Sheet { rows }
}

#[test]
fn a_sheet_that_is_as_it_was_sent_is_taken() {
    let (review, items) = review();
    let mut sheet = sheet(&review, &items[..2], [("keep", ""), ("REVOKE", " has moved ")]);
    let found = reconcile(&review, &items, &sheet).unwrap();
    let decision = |item, choice, comment: Option<&str>| SheetDecision {
        item,
        choice,
        comment: comment.map(str::to_owned),
    };
    assert_eq!(found.reviewer, "bob");
    assert_eq!(
        found.decisions,
        [decision(1, Choice::Keep, None), decision(2, Choice::Revoke, Some("has moved"))]
    );
    // Columns and rows in another order, and a column of the reviewer's own.
    sheet.rows.iter_mut().for_each(|(_, row)| {
        row.reverse();
        row.insert(0, "mine".into());
    });
    sheet.rows.swap(1, 2);
    assert_eq!(reconcile(&review, &items, &sheet).unwrap().decisions.len(), 2);
}

/// Each way in which a sheet can differ from what was sent.
#[test]
fn a_sheet_that_was_manipulated_is_refused_by_line_and_reason() {
    let (review, items) = review();
    let at = |name: &str| COLUMNS.iter().position(|column| *column == name).unwrap();
    let good = || sheet(&review, &items[..2], [("KEEP", ""), ("", "")]);
    let set = |line: usize, name: &str, value: &str| {
        let mut sheet = good();
        sheet.rows[line - 1].1[at(name)] = value.to_owned();
        sheet
    };
    let doubled = {
        let mut sheet = good();
        let mut row = sheet.rows[1].clone();
        row.0 = 4;
        sheet.rows.push(row);
        sheet
    };
    let of_another = {
        let mut sheet = good();
        sheet.rows.push((4, cells(&review, &items[2]).to_vec()));
        sheet
    };
    let without = |line: usize| {
        let mut sheet = good();
        sheet.rows.remove(line - 1);
        sheet
    };
    for (sheet, line, reason) in [
        (set(2, "item", "99"), 2, "item is \"99\": expected the number of an item of the review"),
        (set(2, "item", "one"), 2, "item is \"one\": expected the number"),
        (set(3, "entitlement", "ALL"), 3, "entitlement is \"ALL\": expected \"FI\", as it was sent"),
        (set(3, "nativeIdentity", ""), 3, "nativeIdentity is \"\": expected \"a1\", as it was sent"),
        (set(3, "digest", "0"), 3, "digest is \"0\": expected "),
        (set(3, "reviewer", "ada"), 3, "reviewer is \"ada\": expected \"bob\", as it was sent"),
        (set(2, "review", "another"), 2, "it is of review \"another\": expected 0123"),
        (set(2, "decision", "maybe"), 2, "decision is \"maybe\": expected KEEP, REVOKE or nothing"),
        (set(2, "decision", "REVOKE"), 2, "comment is missing: expected one"),
        (set(3, "comment", "but why"), 3, "there is a comment and no decision"),
        (set(2, "comment", &"x".repeat(2_001)), 2, "comment has 2001 characters: expected at most 2000"),
        (set(1, "digest", "Digest"), 1, "there is no column \"digest\": expected the columns that were sent"),
        (set(1, "digest", "item"), 1, "there are two columns \"item\": expected one"),
        (doubled, 4, "item 1 is on line 2 already: expected each once"),
        (of_another, 4, "item 3 was sent to \"cleo\": expected rows of \"bob\" only"),
        (without(3), 0, "1 of the rows that were sent to \"bob\" are missing, items 2: expected every row"),
        (Sheet::default(), 0, "the sheet is empty"),
    ] {
        let refused = reconcile(&review, &items, &sheet).unwrap_err();
        let found = refused.iter().any(|row| row.line == line && row.reason.starts_with(reason));
        assert!(found, "{reason:?} in {refused:?}");
    }
    let only_header = Sheet { rows: good().rows[..1].to_vec() };
    assert!(reconcile(&review, &items, &only_header).unwrap_err()[0].reason.contains("no rows"));
    // Access of the reviewer's own, in a review whose assignment was broken.
    let mut broken = items.clone();
    broken[0].reviewer =
        Some(Reviewer { name: "ada".into(), id: "id-ada".into(), display_name: Some("ADA".into()) });
    let own = Sheet {
        rows: vec![(1, COLUMNS.map(str::to_owned).to_vec()), (2, cells(&review, &broken[0]).to_vec())],
    };
    let refused = reconcile(&review, &broken, &own).unwrap_err();
    assert_eq!(refused[0].reason, "item 1 is access of ada, and nobody reviews their own");
    // An item that nobody reviews.
    let nobody = Sheet {
        rows: vec![(1, COLUMNS.map(str::to_owned).to_vec()), (2, cells(&review, &items[3]).to_vec())],
    };
    let refused = reconcile(&review, &items, &nobody).unwrap_err();
    assert!(refused[0].reason.starts_with("item 4 has no reviewer"), "{refused:?}");
}

/// The sheet of a reviewer from before some of the items were handed over: the reason says so, and not that it was changed.
#[test]
fn a_sheet_from_before_a_hand_over_is_refused_for_that() {
    let (review, items) = review();
    let sheet = sheet(&review, &items[..2], [("KEEP", ""), ("KEEP", "")]);
    let at = DateTime::from_timestamp(1_775_000_000, 0).unwrap();
    let over = |name: &str| {
        let to = Reviewer { name: name.into(), id: format!("id-{name}"), display_name: None };
        Some(HandOver { to, by: "root".into(), at, reason: "on leave".into() })
    };
    let refused = |items: &[ReviewItem]| {
        let rows = reconcile(&review, items, &sheet).unwrap_err();
        rows.into_iter().map(|row| (row.line, row.reason)).collect::<Vec<_>>()
    };
    // date --utc --date=@1775000000
    let away =
        "was handed over to \"cleo\" at 2026-03-31T23:33:20Z: expected a sheet that was made after that";
    let mut given = items.clone();
    given[0].handed_over = over("cleo");
    assert_eq!(refused(&given), [(2, format!("item 1 {away}"))]);
    given[1].handed_over = over("cleo");
    assert_eq!(refused(&given), [(2, format!("item 1 {away}")), (3, format!("item 2 {away}"))]);
    let mut got = items;
    got[2].handed_over = over("bob");
    let more = "1 of the rows that were sent or handed over to \"bob\" are missing, items 3: expected every row, of a sheet \
                that was made after the last hand-over";
    assert_eq!(refused(&got), [(0, more.to_owned())]);
}

#[test]
fn numbers_become_ranges() {
    assert_eq!(ranges([9, 1, 2, 3, 7, 10]), "1-3 7 9-10");
    assert_eq!(ranges([]), "");
}

#[test]
fn progress_is_by_reviewer_and_counts_who_has_none() {
    let (_, mut items) = review();
    let decision = |item, choice| Decision {
        item,
        choice,
        by: "bob".into(),
        at: DateTime::UNIX_EPOCH,
        seconds: None,
        comment: None,
        sheet: None,
        sequence: 1,
    };
    items[0].decision = Some(decision(1, Choice::Revoke));
    items[2].decision = Some(decision(3, Choice::Keep));
    let found: Vec<_> = progress(&items)
        .into_iter()
        .map(|of| {
            let undecided = of.undecided();
            (of.reviewer.map(|reviewer| reviewer.name), of.items, of.keep, of.revoke, undecided)
        })
        .collect();
    let expected = [(Some("bob"), 2, 0, 1, 1), (Some("cleo"), 2, 1, 0, 1), (None, 3, 0, 0, 3)];
    assert_eq!(found, expected.map(|(name, a, b, c, d)| (name.map(str::to_owned), a, b, c, d)));
}
