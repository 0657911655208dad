//! Readers of identity data: each yields Arrow record batches of raw account records.
