-- Who is told how a run ends: a list of Notify, of Wish for a task.
ALTER TABLE schedules ADD COLUMN notify TEXT;
ALTER TABLE tasks ADD COLUMN notify TEXT;

-- What is to be delivered, or was; one for each run and recipient.
CREATE TABLE notifications (
    tenant   TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    -- Whose wish it is.
    client   TEXT    NOT NULL,
    channel  TEXT    NOT NULL CHECK (channel IN ('email', 'webhook')),
    address  TEXT    NOT NULL,
    -- The format of the file that is attached.
    attach   TEXT,
    -- Notice.
    notice   TEXT    NOT NULL,
    state    TEXT    NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    -- Attempts that have begun.
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    error    TEXT,
    created  INTEGER NOT NULL,
    ended    INTEGER,
    -- When a node may take it; later than now while a node has it.
    wake     INTEGER NOT NULL,
    epoch    INTEGER NOT NULL CHECK (epoch >= 0),
    PRIMARY KEY (tenant, id),
    CHECK ((ended IS NULL) = (state = 'waiting'))
) STRICT, WITHOUT ROWID;

CREATE INDEX notifications_wake ON notifications (wake, id) WHERE state = 'waiting';
CREATE INDEX notifications_created ON notifications (tenant, created, id);
CREATE INDEX notifications_sent ON notifications (ended) WHERE state = 'sent';
