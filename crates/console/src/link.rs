//! Why an account belongs to its identity, or to none: rule by rule.

use crate::api::encoded;
use crate::fields::{Fields, address};
use crate::new_run::sources;
use crate::page::{Layout, Section, html};
use crate::problem::Problem;
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use muster_wire::{LinkCandidate, LinkExplanation, LinkRule};

/// The address of the page of an account.
pub(crate) fn link_address(source: &str, native_identity: &str) -> String {
    let fields = [("source", source.to_owned()), ("account", native_identity.to_owned())];
    address("/ui/links", fields)
}

struct Rule {
    rule: String,
    values: Vec<String>,
    found: u64,
    candidates: Vec<Whose>,
    /// Whether more are found than are named.
    has_more: bool,
    near: Vec<(Whose, String, String, String)>,
    decides: bool,
}

/// An identity and its page.
struct Whose {
    name: String,
    address: String,
}

fn whose(candidate: &LinkCandidate) -> Whose {
    Whose { name: candidate.name.clone(), address: format!("/ui/identities/{}", encoded(&candidate.id)) }
}

fn rule(given: &LinkRule) -> Rule {
    let near = given.near.iter().map(|near| {
        (
            whose(&near.identity),
            visible(&near.account_value),
            visible(&near.identity_value),
            near.differ_in.clone(),
        )
    });
    Rule {
        rule: given.rule.clone(),
        values: given.values.iter().map(|value| visible(value)).collect(),
        found: given.found,
        candidates: given.candidates.iter().map(whose).collect(),
        has_more: given.found > given.candidates.len() as u64,
        near: near.collect(),
        decides: given.decides,
    }
}

/// A value; with its quotes and escapes if it has what people do not see.
fn visible(value: &str) -> String {
    let is_unseen = |c: char| {
        (c.is_whitespace() && c != ' ') || (!matches!(c, '"' | '\'' | '\\') && c.escape_debug().len() > 1)
    };
    let is_plain = value.trim() == value && !value.contains("  ") && !value.chars().any(is_unseen);
    if is_plain { value.to_owned() } else { format!("{value:?}") }
}

/// What is told of an account.
struct Told {
    explanation: LinkExplanation,
    rules: Vec<Rule>,
    owner: Option<Whose>,
}

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage {
    layout: Layout,
    /// Ids and names of the sources, and which is chosen.
    sources: Vec<(String, String, bool)>,
    account: String,
    error: String,
    told: Option<Told>,
}

/// The page.
pub(crate) async fn page(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = Fields::read(&query.unwrap_or_default());
    let (source, account) = (query.text("source"), query.text("account"));
    let mut page = LinkPage {
        layout: Layout::new("Why an account is linked", Section::Identities, Some(&visitor.session)),
        sources: Vec::new(),
        account: account.to_owned(),
        error: String::new(),
        told: None,
    };
    let mut status = StatusCode::OK;
    if !source.is_empty() && !account.is_empty() {
        let fields = [("source", source.to_owned()), ("nativeIdentity", account.to_owned())];
        match visitor.api.get::<LinkExplanation>(&address("/muster/v1/links/explanation", fields)).await {
            Ok(explanation) => {
                let owner = explanation.verdict.identity.as_ref().map(|id| Whose {
                    name: explanation.identity_name.clone().unwrap_or_else(|| id.clone()),
                    address: format!("/ui/identities/{}", encoded(id)),
                });
                let rules = explanation.rules.iter().map(rule).collect();
                page.told = Some(Told { explanation, rules, owner });
            }
            Err(refusal) if refusal.is_about_input() => {
                (page.error, status) = (refusal.text, refusal.status);
            }
            Err(refusal) => return Err(refusal.into()),
        }
    }
    let choices = sources(&visitor).await?.into_iter();
    page.sources = choices
        .map(|choice| {
            let is_chosen = choice.id == source || choice.name == source;
            (choice.id, choice.name, is_chosen)
        })
        .collect();
    Ok(html(status, &page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        for (value, shown) in [
            ("E1", "E1"),
            ("Ada Lovelace", "Ada Lovelace"),
            ("it's \"a\"", "it's \"a\""),
            ("E1 ", "\"E1 \""),
            ("E\u{a0}1", "\"E\\u{a0}1\""),
        ] {
            assert_eq!(visible(value), shown);
        }
    }
}
