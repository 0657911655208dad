//! What is asked before something is removed or cancelled, and doing it when the answer is yes.
//!
//! A thing has a page. Below it, a word leads to the question by GET, and does what is asked by POST.

use crate::form::Posted;
use crate::page::{Layout, Section, see_other, shown};
use crate::problem::Problem;
use crate::visitor::Visitor;
use askama::Template;
use axum::http::Method;
use axum::response::Response;

/// The words of a question that are the same for every thing of a kind.
pub(crate) struct Question {
    pub(crate) section: Section,
    /// The title of the page.
    pub(crate) title: &'static str,
    /// What happens then.
    pub(crate) consequence: &'static str,
    /// The button that does it.
    pub(crate) yes: &'static str,
    /// The word below the page of the thing.
    pub(crate) word: &'static str,
}

#[derive(Template)]
#[template(path = "question.html")]
struct QuestionPage {
    layout: Layout,
    question: String,
    consequence: &'static str,
    yes: &'static str,
    action: String,
    back: String,
}

impl Question {
    /// Asks about the thing whose page is `here`.
    pub(crate) fn ask(&self, visitor: &Visitor, question: String, here: String) -> Result<Response, Problem> {
        shown(&QuestionPage {
            layout: Layout::new(self.title, self.section, Some(&visitor.session)),
            question,
            consequence: self.consequence,
            yes: self.yes,
            action: format!("{here}/{}", self.word),
            back: here,
        })
    }
}

/// Does it by a route of the API, and leads to the page that says so.
pub(crate) async fn act(posted: &Posted, method: Method, route: &str, to: &str) -> Result<Response, Problem> {
    posted.visitor.api.act(method, route).await?;
    Ok(see_other(to))
}
