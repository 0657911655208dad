//! Record batches to files: CSV and the cover; streaming, deterministic.
