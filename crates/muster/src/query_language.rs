//! The search language as a start needs it: whether a query can be read and run.

use muster_querystring::{matching, parse};
use muster_reports::error::{Error, Result};
use muster_reports::ports::QueryLanguage;

/// Reads queries with `muster-querystring`.
#[derive(Debug, Clone, Copy)]
pub struct SearchLanguage;

impl QueryLanguage for SearchLanguage {
    fn check(&self, query: &str) -> Result<()> {
        let read = parse(query).map_err(|error| Error::invalid(error.to_string()))?;
        matching::check(&read).map_err(|error| {
            let column = query.get(..error.span.start).map_or(0, |before| before.chars().count()) + 1;
            Error::invalid(format!("column {column}: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_query_that_cannot_be_read_says_where() {
        SearchLanguage.check("name:a* AND @accounts(disabled:true)").unwrap();
        let error = SearchLanguage.check("name:a AND").unwrap_err();
        assert!(error.message.contains("11"), "{}", error.message);
    }
}
