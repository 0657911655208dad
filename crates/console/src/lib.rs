//! The console: pages for people, made only from the API's documented routes.
//!
//! [`with_console`] takes the API as a router and returns a router that answers the console's pages itself and passes
//! every other request to the API unchanged. A page signs in at `POST /oauth/token` and asks the API in process, with the
//! access token of the person who looks at it. So rights, data scopes, rate limits and the audit trail hold for pages
//! without any code here.
//!
//! Invariants:
//! - The pages are `/` and what is below `/ui/`; no route of the API is there.
//! - Nothing but the API's answers reaches a page, and every text of an answer is escaped.
//! - A page has no inline script and no inline style, and names no other host.
//! - A handler that changes something takes a [`form::Posted`]: the session and the token of its form have been checked.
//! - The browser never gets a token or a client secret. Of an issuer it gets the code, which is of no use without the
//!   verifier that stays here.

mod administration;
mod answer;
mod api;
mod arguments;
mod assets;
mod attempts;
mod compare;
mod definitions;
mod fields;
mod files;
mod form;
mod identities;
mod issuer_sign_in;
mod issuers;
mod link;
mod live;
mod look;
mod messages;
mod new_review;
mod new_run;
mod page;
mod preview;
mod problem;
mod question;
mod reports;
mod review_decisions;
mod reviews;
mod routes;
mod run;
mod runs;
mod saved_searches;
mod schedules;
mod service;
mod session;
mod settings;
mod sign_in;
mod snapshots;
mod sources;
mod state;
mod tasks;
mod verify;
mod visitor;

pub use issuers::{
    IssuedToken, IssuerAnswer, IssuerFailure, NoIssuers, OfferedIssuer, SignInAttempt, SignInIssuers,
};
pub use service::{is_page, with_console};
pub use settings::{ConsoleSettings, OneTimeSignIn};
