//! The published JSON of the Reports Data Extraction API, exactly; no behaviour.
