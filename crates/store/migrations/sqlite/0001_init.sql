-- Times are microseconds since 1970-01-01 UTC. JSON columns hold the serde form of the named type.

CREATE TABLE tasks (
    -- Order of acceptance.
    seq           INTEGER PRIMARY KEY,
    id            TEXT    NOT NULL UNIQUE,
    tenant        TEXT    NOT NULL,
    dedup_key     TEXT    NOT NULL,
    definition    TEXT    NOT NULL,
    report        TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    description   TEXT    NOT NULL,
    parent        TEXT,
    -- Canonical JSON of the checked arguments.
    arguments     TEXT    NOT NULL,
    -- Caller.
    requester     TEXT    NOT NULL,
    snapshot      TEXT    NOT NULL,
    created       INTEGER NOT NULL,
    deadline      INTEGER NOT NULL,
    state         TEXT    NOT NULL
        CHECK (state IN ('pending', 'running', 'succeeded', 'warned', 'failed', 'terminated')),
    -- When a claim may take it: not before this while pending, the end of the lease while running.
    -- Never past the deadline, so that an overdue task is always found.
    due           INTEGER NOT NULL CHECK (due <= deadline),
    worker        TEXT,
    launched      INTEGER,
    completed     INTEGER,
    attempts      INTEGER NOT NULL CHECK (attempts >= 0),
    epoch         INTEGER NOT NULL CHECK (epoch >= 0),
    rows          INTEGER NOT NULL,
    rows_expected INTEGER,
    -- List of Message.
    messages      TEXT    NOT NULL,
    -- The result: all three or none.
    result_rows   INTEGER,
    -- List of PublishedFile.
    files         TEXT,
    cover         TEXT,
    CHECK ((completed IS NULL) = (state IN ('pending', 'running'))),
    CHECK ((worker IS NULL) = (state <> 'running')),
    CHECK ((result_rows IS NULL) = (state NOT IN ('succeeded', 'warned'))),
    CHECK ((files IS NULL) = (result_rows IS NULL) AND (cover IS NULL) = (result_rows IS NULL))
) STRICT;

-- At most one live task for each key: de-duplication.
CREATE UNIQUE INDEX tasks_live ON tasks (tenant, dedup_key) WHERE state IN ('pending', 'running');
CREATE INDEX tasks_due ON tasks (due, seq) WHERE state IN ('pending', 'running');
CREATE INDEX tasks_of_definition ON tasks (tenant, definition);

-- The updates name the states they start from; these hold whoever writes.
CREATE TRIGGER tasks_end_states_never_change BEFORE UPDATE ON tasks
WHEN OLD.state NOT IN ('pending', 'running')
BEGIN
    SELECT RAISE(ABORT, 'an end state never changes');
END;

CREATE TRIGGER tasks_epoch_only_grows BEFORE UPDATE OF epoch ON tasks
WHEN NEW.epoch < OLD.epoch
BEGIN
    SELECT RAISE(ABORT, 'an epoch only grows');
END;

CREATE TABLE snapshots (
    -- Order of publication.
    seq      INTEGER PRIMARY KEY,
    tenant   TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    -- SnapshotManifest.
    manifest TEXT    NOT NULL,
    UNIQUE (tenant, id)
) STRICT;

CREATE INDEX snapshots_newest ON snapshots (tenant, seq);

CREATE TABLE credentials (
    client      TEXT    NOT NULL PRIMARY KEY,
    tenant      TEXT    NOT NULL,
    -- Caller.
    caller      TEXT    NOT NULL,
    secret_hmac BLOB    NOT NULL CHECK (length(secret_hmac) = 32),
    enabled     INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    created     INTEGER NOT NULL,
    description TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sources (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    name       TEXT NOT NULL,
    definition TEXT NOT NULL,
    base_dir   TEXT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, name)
) STRICT;

CREATE TABLE links (
    tenant          TEXT NOT NULL,
    source          TEXT NOT NULL,
    native_identity TEXT NOT NULL,
    identity_name   TEXT NOT NULL,
    PRIMARY KEY (tenant, source, native_identity)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_events (
    seq       INTEGER PRIMARY KEY,
    id        TEXT    NOT NULL UNIQUE,
    at        INTEGER NOT NULL,
    operation TEXT    NOT NULL,
    tenant    TEXT    NOT NULL,
    -- Caller.
    caller    TEXT    NOT NULL,
    task      TEXT    NOT NULL,
    report    TEXT    NOT NULL,
    details   TEXT    NOT NULL
) STRICT;

CREATE TRIGGER audit_events_never_change BEFORE UPDATE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'an audit event never changes');
END;

CREATE TRIGGER audit_events_are_never_deleted BEFORE DELETE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'an audit event is never deleted');
END;

-- What the service made once for itself: its signing and HMAC keys.
CREATE TABLE secrets (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
