-- Refreshes, as the list of tasks shows them.
CREATE TABLE refreshes (
    tenant    TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    -- Caller.
    requester TEXT    NOT NULL,
    snapshot  TEXT    NOT NULL,
    created   INTEGER NOT NULL,
    state     TEXT    NOT NULL CHECK (state IN ('running', 'succeeded', 'warned', 'failed')),
    -- Parts done, and expected.
    done      INTEGER NOT NULL,
    expected  INTEGER,
    -- List of Message.
    messages  TEXT    NOT NULL,
    ended     INTEGER,
    -- When it counts as interrupted unless its process is heard of.
    lease     INTEGER NOT NULL,
    PRIMARY KEY (tenant, id),
    CHECK ((ended IS NULL) = (state = 'running'))
) STRICT, WITHOUT ROWID;

CREATE INDEX refreshes_created ON refreshes (tenant, created);
