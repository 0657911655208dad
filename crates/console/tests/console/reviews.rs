//! Access reviews: how far they are, and deciding items.

use crate::browser::Browser;
use crate::stub::{Canned, ok, refused};
use serde_json::{Value, json};

const PAGE: &str = "/ui/reviews/r1/decide?reviewer=";

fn review(managed: bool, state: &str) -> Value {
    json!({
        "id": "r1", "name": "<u>Spring", "state": state, "reviewers": "MANAGER", "snapshotId": "s1",
        "frozenAt": "2026-03-01T00:00:00.000Z", "digest": "abcd", "created": "2026-03-01T01:00:00.000Z", "createdBy": "boss",
        "dueDays": 14, "commentRequired": true, "tell": false, "managed": managed,
        "total": {"items": 1200, "keep": 300, "revoke": 3, "undecided": 897},
        "progress": [
            {"reviewer": "ann.user", "displayName": "Ann", "items": 2, "keep": 1, "revoke": 0, "undecided": 1},
            {"items": 4, "keep": 0, "revoke": 0, "undecided": 4},
        ],
    })
}

fn item(number: u32, identity: &str, decision: Option<(&str, &str)>) -> Value {
    json!({
        "item": number, "reviewer": "ann.user", "assigned": "manager", "identity": identity, "identityDisplayName": "<i>Bob",
        "source": "AD", "account": "bob", "nativeIdentity": "CN=bob", "entitlement": "Admins", "privileged": true,
        "disabled": false, "digest": "d", "decision": decision.map(|(word, _)| word), "decidedBy": decision.map(|_| "eve"),
        "decided": decision.map(|_| "2026-03-02T08:00:00.000Z"), "comment": decision.map(|(_, comment)| comment),
    })
}

async fn reviewing(managed: bool, items: &[Value]) -> Browser {
    let browser = Browser::signed_in().await;
    browser.stub.says("GET /muster/v1/reviews", ok(&json!([review(managed, "OPEN")])));
    browser.stub.says("GET /muster/v1/reviews/r1", ok(&review(managed, "OPEN")));
    browser.stub.says("GET /muster/v1/reviews/r1/items", ok(&json!(items)));
    browser
}

fn sent(browser: &Browser) -> Value {
    let asked = browser.stub.asked();
    let found = asked.iter().find(|asked| asked.line == "POST /muster/v1/reviews/r1/decisions");
    serde_json::from_str(&found.unwrap_or_else(|| panic!("nothing was decided: {asked:?}")).body).unwrap()
}

#[tokio::test]
async fn a_review_shows_its_population_its_reviewers_and_its_items() {
    let browser = reviewing(true, &[item(7, "bob", Some(("REVOKE", "<b>left")))]).await;
    browser.get("/ui/reviews").await.has("&#60;u&#62;Spring").has(">897<").has(r#"href="/ui/reviews/r1""#);
    let page = browser.get("/ui/reviews/r1?reviewer=ann.user&undecided=true&after=6").await;
    page.has("Population")
        .has(">1,200<")
        .has(r#"<progress value="25" max="100" aria-label="Decided">"#)
        .has("25 % decided");
    page.has(r#"href="/ui/reviews/r1?reviewer=ann.user#items""#).has("Nobody").has("50 %");
    page.has("&#60;b&#62;left").lacks("<b>left").has("&#60;i&#62;Bob (bob)").has("privileged").has("Revoke");
    page.has(r#"href="/ui/snapshots/s1""#).has(r#"href="/ui/new/REVIEW_REVOKES?review=r1""#).has("/close\"");
    assert_eq!(
        browser.stub.lines().last().unwrap(),
        "GET /muster/v1/reviews/r1/items?reviewer=ann.user&undecided=true&after=6&limit=51"
    );
    page.has("No time is set; it is open until it is closed.").has("<dt>Reviewers are told</dt><dd>No</dd>");
    page.lacks("Could not be told");
    // Until when, and who is told of it.
    let mut told = review(true, "OPEN");
    let more = json!({
        "ends": "2026-03-20T12:00:00.000Z", "reminds": "2026-03-17T12:00:00.000Z", "tell": true,
        "notTold": ["<u>eve", "bob"],
    });
    told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    browser.stub.says("GET /muster/v1/reviews", ok(&json!([told])));
    browser.stub.says("GET /muster/v1/reviews/r1", ok(&told));
    browser.get("/ui/reviews").await.has("2026-03-20 12:00:00 UTC").has("/ui/reviews/new");
    let page = browser.get("/ui/reviews/r1").await;
    page.has("2026-03-20 12:00:00 UTC")
        .has("it stays open until it is closed")
        .has("2026-03-17 12:00:00 UTC");
    page.has("Could not be told").has("&#60;u&#62;eve, bob. They have no address");
    browser.get(PAGE).await.has("Decide by <time datetime=\"2026-03-20T12:00:00Z\">");
    // A reviewer who manages nothing.
    let browser = reviewing(false, &[]).await;
    let page = browser.get("/ui/reviews/r1").await;
    page.has("Your items").lacks("/close\"").lacks("/sheets/").has(r#"href="/ui/reviews/r1/decide""#);
    // An application has no reviews.
    let browser = Browser::signed_in_as("app").await;
    browser.get("/ui/nothing").await.lacks(r#"href="/ui/reviews""#);
}

#[tokio::test]
async fn a_page_of_items_leads_to_the_next() {
    let items: Vec<_> = (1..=51).map(|number| item(number, "bob", None)).collect();
    let browser = reviewing(true, &items).await;
    let page = browser.get("/ui/reviews/r1").await;
    page.has(r#"href="/ui/reviews/r1?after=50#items""#).has(">50<").lacks(">51<");
    let page = browser.get(PAGE).await;
    page.has("href=\"/ui/reviews/r1/decide?reviewer=&#38;after=50\"").has("decision-50").lacks("decision-51");
}

/// Only what differs is sent: a decision that somebody else made stays theirs.
#[tokio::test]
async fn what_was_chosen_is_sent_and_nothing_else() {
    let items = [item(1, "bob", None), item(2, "bob", Some(("KEEP", "fine"))), item(3, "bob", None)];
    let browser = reviewing(false, &items).await;
    // Without a name in the address, a reviewer sees what the API shows.
    browser
        .get("/ui/reviews/r1/decide")
        .await
        .has("value=\"KEEP\" checked")
        .has("value=\"fine\"")
        .has("A revoke needs a comment");
    assert!(browser.stub.lines().last().unwrap().ends_with("/items?undecided=true&limit=51"));
    let outcome =
        json!({"taken": true, "new": 1, "changed": 0, "unchanged": 0, "undecided": 0, "refusedCount": 0});
    browser.stub.says("POST /muster/v1/reviews/r1/decisions", ok(&outcome));
    let form =
        "item=1&decision-1=REVOKE&comment-1=left&item=2&decision-2=KEEP&comment-2=fine&item=3&comment-3=";
    let answer = browser.send(PAGE, PAGE, form).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/ui/reviews/r1/decide?reviewer=&done=decided")
    );
    assert_eq!(sent(&browser), json!({"decisions": [{"item": 1, "decision": "REVOKE", "comment": "left"}]}));
    // A decision that is changed, with its comment.
    browser.stub.lines();
    let form = "item=2&decision-2=REVOKE&comment-2=left";
    browser.send(PAGE, PAGE, form).await;
    assert_eq!(sent(&browser), json!({"decisions": [{"item": 2, "decision": "REVOKE", "comment": "left"}]}));
}

#[tokio::test]
async fn a_refused_decision_keeps_what_was_written() {
    let browser = reviewing(true, &[item(1, "bob", None), item(2, "ann.user", None)]).await;
    // Who manages the review and reviews themselves sees their own items first.
    browser.get("/ui/reviews/r1/decide").await.has("Items of ann.user to decide");
    assert!(browser.stub.lines().last().unwrap().contains("items?reviewer=ann.user&undecided=true"));
    let page = browser.get(PAGE).await;
    page.has("It is your own access: somebody else decides.").has("decision-1").lacks("decision-2");
    for (form, said) in [
        ("item=1&item=2", "Nothing was decided: choose Keep or Revoke for an item."),
        ("item=1&comment-1=why", "Item 1 has a comment and no decision."),
    ] {
        let answer = browser.send(PAGE, PAGE, form).await;
        assert_eq!(answer.status, 400);
        answer.has(said).has("Nothing was recorded.");
        assert!(browser.stub.lines().iter().all(|line| line.starts_with("GET ")));
    }
    browser.stub.says("POST /muster/v1/reviews/r1/decisions", refused(400, "item 1: comment is <i>missing"));
    let answer = browser.send(PAGE, PAGE, "item=1&decision-1=REVOKE&comment-1=x%22y").await;
    assert_eq!(answer.status, 400);
    answer.has("comment is &#60;i&#62;missing").has("value=\"x&#34;y\"").has("value=\"REVOKE\" checked");
    // What the page does not offer is refused by the API, and told.
    let own = refused(403, "item 2 is access of \"ann.user\" and nobody reviews their own");
    browser.stub.says("POST /muster/v1/reviews/r1/decisions", own);
    let answer = browser.send(PAGE, PAGE, "item=2&decision-2=KEEP").await;
    assert_eq!(answer.status, 403);
    answer.has("nobody reviews their own");
}

#[tokio::test]
async fn a_closed_review_is_only_read() {
    let browser = reviewing(true, &[item(1, "bob", None)]).await;
    let closed =
        json!({"closed": "2026-03-02T00:00:00.000Z", "closedBy": "boss", "due": "2026-03-16T00:00:00.000Z"});
    let mut review = review(true, "CLOSED");
    review.as_object_mut().unwrap().extend(closed.as_object().unwrap().clone());
    browser
        .get("/ui/reviews/r1/close")
        .await
        .has("Close the review &#60;u&#62;Spring? 897 items are undecided.");
    browser.stub.says("POST /muster/v1/reviews/r1/close", ok(&review));
    let answer = browser.send("/ui/reviews/r1/close", "/ui/reviews/r1/close", "").await;
    assert_eq!(answer.header("location"), "/ui/reviews/r1?done=closed");
    browser.stub.says("GET /muster/v1/reviews/r1", ok(&review));
    let page = browser.get("/ui/reviews/r1?done=closed").await;
    page.has("The review is closed.")
        .has("2026-03-02 00:00:00 UTC")
        .has("by boss")
        .lacks("/decide\"")
        .lacks("/close\"");
    browser
        .get(PAGE)
        .await
        .has("its decisions are final")
        .lacks("<form method=\"post\" action=\"/ui/reviews");
    let sheets = vec![("content-type", "application/zip".to_owned())];
    browser
        .stub
        .says("GET /muster/v1/reviews/r1/sheets", Canned { status: 200, headers: sheets, body: "PK".into() });
    browser.stub.lines();
    assert_eq!(browser.get("/ui/reviews/r1/sheets/xlsx").await.body, "PK");
    assert_eq!(browser.stub.lines(), ["GET /muster/v1/reviews/r1/sheets?format=xlsx"]);
}

#[tokio::test]
async fn a_review_is_created_by_a_form() {
    const NEW: &str = "/ui/reviews/new";
    let browser = reviewing(true, &[]).await;
    browser
        .get(NEW)
        .await
        .has("value=\"s1\"")
        .has("Active Directory")
        .has("value=\"14\"")
        .has("value=\"MANAGER\"");
    let refusal = refused(404, "fallback is <b>zed: expected the name of an identity of the snapshot");
    browser.stub.says("POST /muster/v1/reviews", refusal);
    let form = "name=Spring&reviewers=SOURCE_OWNER&fallback=zed&source=s2&ends=2026-12-24&tell=true&remind-days=5&due-days=30";
    let answer = browser.send(NEW, NEW, form).await;
    assert_eq!(answer.status, 404);
    answer.has("The review was not created: fallback is &#60;b&#62;zed").lacks("<b>zed");
    answer.has("value=\"Spring\"").has("value=\"SOURCE_OWNER\" selected").has("value=\"s2\" checked");
    answer
        .has("name=\"ends\" type=\"date\" value=\"2026-12-24\"")
        .has("name=\"tell\" value=\"true\" checked");
    answer.has("value=\"5\"").has("value=\"30\"");
    browser.stub.lines();
    browser.stub.says("POST /muster/v1/reviews", ok(&review(true, "OPEN")));
    let answer = browser.send(NEW, NEW, form).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/ui/reviews/r1?done=created"));
    let asked = browser.stub.asked();
    let sent = asked.iter().find(|asked| asked.line == "POST /muster/v1/reviews").unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&sent.body).unwrap(),
        json!({
            "name": "Spring", "reviewers": "SOURCE_OWNER", "fallback": "zed", "sources": ["s2"], "privileged": false,
            "dueDays": 30, "commentRequired": false, "ends": "2026-12-24T23:59:59Z", "remindDays": 5, "tell": true,
        })
    );
    let answer = browser.send(NEW, NEW, "name=a&reviewers=MANAGER&due-days=soon").await;
    assert_eq!(answer.status, 400);
    answer.has("expected a number of days");
    browser.stub.says("POST /muster/v1/reviews", refused(403, "no right"));
    assert_eq!(browser.send(NEW, NEW, "name=a&reviewers=MANAGER").await.status, 403);
}
