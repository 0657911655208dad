//! Tasks, leases, credentials, snapshot catalogue and result files on SQLite.
