//! What holds for every input of a source, however hostile. Fuzzing calls these functions, and tests with kept inputs.
//!
//! Only there in tests and under `cfg(fuzzing)`, which `cargo fuzz` sets. What a service on the network answers is
//! given to the functions that would get it; files are files.

mod delimited;
mod documents;
mod ndjson;
pub(crate) mod rows;
mod scratch;

pub use crate::kinds::scim::fuzzing::scim_page;
pub use crate::kinds::tenant::fuzzing::tenant_objects;
pub use delimited::delimited_file;
pub use documents::document_lines;
pub use ndjson::json_lines;

#[cfg(test)]
mod tests {
    use super::*;
    use muster_testkit::corpus::replay;

    #[test]
    fn kept_inputs_hold() {
        replay("delimited_file", delimited_file);
        replay("document_lines", document_lines);
        replay("json_lines", json_lines);
        replay("scim_page", scim_page);
        replay("tenant_objects", tenant_objects);
    }
}
