-- The audit trail becomes a chain for each tenant. Events from before have no place in it.

ALTER TABLE audit_events ADD COLUMN sequence INTEGER CHECK (sequence > 0);
ALTER TABLE audit_events ADD COLUMN previous TEXT;
ALTER TABLE audit_events ADD COLUMN hash     TEXT;

CREATE UNIQUE INDEX audit_events_chain ON audit_events (tenant, sequence);

-- Where each chain ends.
CREATE TABLE audit_heads (
    tenant   TEXT    NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL CHECK (sequence > 0),
    hash     TEXT    NOT NULL,
    -- HMAC-SHA-256 under a key that is not in this database, 64 hex digits.
    seal     TEXT
) STRICT, WITHOUT ROWID;
