//! A Rust SDK for the Reports Data Extraction API.
