-- Who is told how a run ends: a list of Notify, of Wish for a task.
ALTER TABLE schedules ADD COLUMN notify text;
ALTER TABLE tasks ADD COLUMN notify text;

-- What is to be delivered, or was; one for each run and recipient.
CREATE TABLE notifications (
    tenant   text COLLATE "C" NOT NULL,
    id       text COLLATE "C" NOT NULL,
    -- Whose wish it is.
    client   text COLLATE "C" NOT NULL,
    channel  text COLLATE "C" NOT NULL CHECK (channel IN ('email', 'webhook')),
    address  text COLLATE "C" NOT NULL,
    -- The format of the file that is attached.
    attach   text,
    -- Notice.
    notice   text COLLATE "C" NOT NULL,
    state    text COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    -- Attempts that have begun.
    attempts bigint NOT NULL CHECK (attempts >= 0),
    error    text,
    created  bigint NOT NULL,
    ended    bigint,
    -- When a node may take it; later than now while a node has it.
    wake     bigint NOT NULL,
    epoch    bigint NOT NULL CHECK (epoch >= 0),
    PRIMARY KEY (tenant, id),
    CHECK ((ended IS NULL) = (state = 'waiting'))
);

CREATE INDEX notifications_wake ON notifications (wake, id) WHERE state = 'waiting';
CREATE INDEX notifications_created ON notifications (tenant, created, id);
CREATE INDEX notifications_sent ON notifications (ended) WHERE state = 'sent';
