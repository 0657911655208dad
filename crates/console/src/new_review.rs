//! Creating an access review: a form. The API freezes the items and names the reviewers.

use crate::api::{Counted, Refusal};
use crate::fields::Fields;
use crate::form::Posted;
use crate::new_run::sources;
use crate::page::{Layout, html, see_other};
use crate::problem::Problem;
use crate::reviews::{ROUTE, layout, page_of};
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::RawQuery;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use muster_wire::{NewReviewDetails, ReviewDescription};

/// Who can review, as the API names it, and in words. A list is a file, which the command line takes.
const RULES: [(&str, &str); 2] =
    [("MANAGER", "The manager of each identity"), ("SOURCE_OWNER", "The owner of each source")];
/// Days, if the form says nothing.
const DUE_DAYS: &str = "14";
const REMIND_DAYS: &str = "3";

#[derive(Template)]
#[template(path = "new_review.html")]
struct NewReviewPage {
    layout: Layout,
    name: String,
    /// Each rule: its word, what it means, and whether it is chosen.
    rules: Vec<(&'static str, &'static str, bool)>,
    fallback: String,
    /// Each source: its id, its name, and whether it is chosen.
    sources: Vec<(String, String, bool)>,
    privileged: bool,
    comment_required: bool,
    ends: String,
    tell: bool,
    remind_days: String,
    due_days: String,
    as_of: String,
    error: String,
}

async fn asked(visitor: &Visitor, given: &Fields, refused: Option<&str>) -> Result<NewReviewPage, Problem> {
    let usual = |name: &str, default: &str| match given.has(name) {
        true => given.text(name).to_owned(),
        false => default.to_owned(),
    };
    let rule = usual("reviewers", RULES[0].0);
    let is_chosen = |id: &str| given.texts("source").any(|chosen| chosen == id);
    let listed = sources(visitor).await?;
    Ok(NewReviewPage {
        layout: layout("New access review", visitor),
        name: given.text("name").to_owned(),
        rules: RULES.map(|(word, meaning)| (word, meaning, word == rule)).into(),
        fallback: given.text("fallback").to_owned(),
        sources: listed
            .into_iter()
            .map(|source| {
                let chosen = is_chosen(&source.id);
                (source.id, source.name, chosen)
            })
            .collect(),
        privileged: is_set(given, "privileged"),
        comment_required: is_set(given, "comment-required"),
        ends: given.text("ends").to_owned(),
        tell: is_set(given, "tell"),
        remind_days: usual("remind-days", REMIND_DAYS),
        due_days: usual("due-days", DUE_DAYS),
        as_of: given.text("as-of").to_owned(),
        error: refused.unwrap_or_default().to_owned(),
    })
}

fn is_set(given: &Fields, name: &str) -> bool {
    given.text(name) == "true"
}

/// The form.
pub(crate) async fn form(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let page = asked(&visitor, &Fields::read(&query.unwrap_or_default()), None).await?;
    Ok(html(StatusCode::OK, &page))
}

/// What a form asks for, or what is wrong with it.
fn wanted(given: &Fields) -> Result<NewReviewDetails, String> {
    let some = |name: &str| Some(given.text(name).to_owned()).filter(|text| !text.is_empty());
    let days = |name: &str, label: &str| {
        let days = |text: String| {
            text.parse::<u32>().map_err(|_| format!("{label} is {text:?}: expected a number of days"))
        };
        some(name).map(days).transpose()
    };
    Ok(NewReviewDetails {
        name: given.text("name").to_owned(),
        reviewers: given.text("reviewers").to_owned(),
        list: Vec::new(),
        fallback: some("fallback"),
        sources: given.texts("source").filter(|id| !id.is_empty()).map(str::to_owned).collect(),
        privileged: is_set(given, "privileged"),
        due_days: days("due-days", "Days until a revoke is due")?,
        comment_required: is_set(given, "comment-required"),
        // A day ends with its last second.
        ends: some("ends").map(|day| if day.contains('T') { day } else { format!("{day}T23:59:59Z") }),
        remind_days: days("remind-days", "Days of the reminder")?,
        tell: is_set(given, "tell"),
        as_of: some("as-of"),
    })
}

/// Creates the review.
pub(crate) async fn create(posted: Posted) -> Result<Response, Problem> {
    let Posted { visitor, fields: given } = posted;
    let wanted = match wanted(&given) {
        Ok(wanted) => wanted,
        Err(reason) => {
            return Ok(html(StatusCode::BAD_REQUEST, &asked(&visitor, &given, Some(&reason)).await?));
        }
    };
    let created: Result<Counted<ReviewDescription>, Refusal> =
        visitor.api.send(Method::POST, ROUTE, &serde_json::to_value(&wanted).unwrap_or_default()).await;
    match created {
        Ok(created) => Ok(see_other(&format!("{}?done=created", page_of(&created.body.id)))),
        Err(refusal) if refusal.is_about_input() => {
            Ok(html(refusal.status, &asked(&visitor, &given, Some(&refusal.text)).await?))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leaves_out_what_is_empty() {
        let given = Fields::read(
            "name=Spring&reviewers=MANAGER&source=s1&source=s2&fallback=&ends=&as-of=&due-days=",
        );
        let details = wanted(&given).unwrap_or_else(|reason| panic!("{reason}"));
        assert_eq!((details.name.as_str(), details.reviewers.as_str()), ("Spring", "MANAGER"));
        assert_eq!(
            (details.sources, details.fallback, details.ends),
            (vec!["s1".into(), "s2".into()], None, None)
        );
        assert_eq!((details.due_days, details.remind_days, details.as_of), (None, None, None));
        assert!(!details.privileged && !details.tell && !details.comment_required);
        let given = Fields::read("ends=2026-12-24&due-days=30&tell=true&privileged=true");
        let details = wanted(&given).unwrap_or_else(|reason| panic!("{reason}"));
        assert_eq!((details.ends.as_deref(), details.due_days), (Some("2026-12-24T23:59:59Z"), Some(30)));
        assert!(details.privileged && details.tell);
        let refused = wanted(&Fields::read("remind-days=soon")).err();
        assert_eq!(refused.as_deref(), Some("Days of the reminder is \"soon\": expected a number of days"));
    }
}
