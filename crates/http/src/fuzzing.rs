//! What holds for every request, however hostile. Fuzzing calls these functions, and tests with kept inputs.
//!
//! Why in here: they ask functions that nobody outside of the crate may call. They are only there in tests and under
//! `cfg(fuzzing)`, which `cargo fuzz` sets, so the crate shows nothing more for their sake.
//!
//! Expectations are worked out in another way than the code's: from the JSON as a generic reader gives it, by writing
//! what was read and reading it again, or from the few tokens that were really issued.

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

/// No text that tells a caller what was wrong is longer, in bytes.
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
