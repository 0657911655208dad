-- How far the audit trail has been passed on to others. The trail itself says nothing of it and never changes.

CREATE TABLE audit_relayed (
    tenant   TEXT NOT NULL PRIMARY KEY,
    -- All events up to this number are passed on or parked.
    sequence INTEGER NOT NULL CHECK (sequence >= 0)
) STRICT, WITHOUT ROWID;

-- Events that can never be passed on.
CREATE TABLE audit_parked (
    tenant   TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    id       TEXT NOT NULL,
    at       INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    PRIMARY KEY (tenant, sequence)
) STRICT, WITHOUT ROWID;

-- The one relay that leads.
CREATE TABLE audit_relay_lease (
    id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    holder TEXT NOT NULL,
    ends   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
