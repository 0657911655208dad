//! Differential tests: the same queries through this crate and through Lucene, trees and what they find.
//!
//! Queries are generated from fixed seeds. Lucene's side are the Java programs in `oracle/`, compiled here against
//! the jars of Debian's `liblucene8-java`. Where Elasticsearch differs from Lucene on purpose, it is said next to
//! the comparison.
//!
//! Without Java or the jars the tests say `SKIPPED` and pass; with `MUSTER_REQUIRE_LUCENE=1` they fail.

mod lucene {
    mod documents;
    mod found;
    mod generator;
    mod oracle;
    mod random;
    mod render;
    mod rules;
    mod searches;
    mod trees;
    mod words;
}
