-- How far the audit trail has been passed on to others. The trail itself says nothing of it and never changes.

CREATE TABLE audit_relayed (
    tenant   text COLLATE "C" NOT NULL PRIMARY KEY,
    -- All events up to this number are passed on or parked.
    sequence bigint NOT NULL CHECK (sequence >= 0)
);

-- Events that can never be passed on.
CREATE TABLE audit_parked (
    tenant   text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    id       text COLLATE "C" NOT NULL,
    at       bigint NOT NULL,
    reason   text NOT NULL,
    PRIMARY KEY (tenant, sequence)
);

-- The one relay that leads.
CREATE TABLE audit_relay_lease (
    id     bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    holder text NOT NULL,
    ends   bigint NOT NULL
);
