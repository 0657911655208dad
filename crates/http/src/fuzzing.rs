//! What holds for every request, however hostile. Fuzzing calls these functions, and tests with kept inputs.
//!
//! Why here: they call functions that are private to the crate. They exist only in tests and under `cfg(fuzzing)`,
//! which `cargo fuzz` sets, so they make nothing more public.
//!
//! Expectations do not come from the code under test. They come from a generic JSON reader, from writing what was read
//! and reading it again, or from the few tokens that were issued.

mod arguments;
mod download;
mod external_issuers;
mod forms;
mod tokens;

pub use arguments::report_arguments;
pub use download::{conditional_headers, file_name};
pub use external_issuers::{external_claims, external_token, key_set};
pub use forms::token_form;
pub use tokens::own_token;

use chrono::{DateTime, TimeDelta, Utc};

/// Longest reason for a caller, in bytes.
const REASON_BYTES_MAX: usize = 1024;

/// The time at which everything happens.
fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_testkit::corpus::replay;

    #[test]
    fn kept_inputs_hold() {
        replay("conditional_headers", conditional_headers);
        replay("file_name", file_name);
        replay("key_set", key_set);
        replay("external_claims", external_claims);
        replay("external_token", external_token);
        replay("own_token", own_token);
        replay("report_arguments", report_arguments);
        replay("token_form", token_form);
    }
}
