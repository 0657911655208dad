-- The same tables as in the SQLite store. Times are microseconds since 1970-01-01 UTC. JSON columns hold
-- the serde form of the named type, as text that is kept byte for byte. What is compared or ordered has
-- the collation "C", so that every system orders alike.

CREATE TABLE tasks (
    -- Order of acceptance.
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            text COLLATE "C" NOT NULL UNIQUE,
    tenant        text COLLATE "C" NOT NULL,
    dedup_key     text COLLATE "C" NOT NULL,
    definition    text COLLATE "C" NOT NULL,
    report        text   NOT NULL,
    name          text   NOT NULL,
    description   text   NOT NULL,
    parent        text,
    -- Canonical JSON of the checked arguments.
    arguments     text   NOT NULL,
    -- Caller.
    requester     text   NOT NULL,
    snapshot      text   NOT NULL,
    created       bigint NOT NULL,
    deadline      bigint NOT NULL,
    state         text COLLATE "C" NOT NULL
        CHECK (state IN ('pending', 'running', 'succeeded', 'warned', 'failed', 'terminated')),
    -- When a claim may take it: not before this while pending, the end of the lease while running.
    -- Never past the deadline, so that an overdue task is always found.
    due           bigint NOT NULL CHECK (due <= deadline),
    worker        text,
    launched      bigint,
    completed     bigint,
    attempts      bigint NOT NULL CHECK (attempts >= 0),
    epoch         bigint NOT NULL CHECK (epoch >= 0),
    rows          bigint NOT NULL,
    rows_expected bigint,
    -- List of Message.
    messages      text   NOT NULL,
    -- The result: all three or none.
    result_rows   bigint,
    -- List of PublishedFile.
    files         text,
    cover         text,
    CHECK ((completed IS NULL) = (state IN ('pending', 'running'))),
    CHECK ((worker IS NULL) = (state <> 'running')),
    CHECK ((result_rows IS NULL) = (state NOT IN ('succeeded', 'warned'))),
    CHECK ((files IS NULL) = (result_rows IS NULL) AND (cover IS NULL) = (result_rows IS NULL))
);

-- At most one live task for each key: de-duplication.
CREATE UNIQUE INDEX tasks_live ON tasks (tenant, dedup_key) WHERE state IN ('pending', 'running');
CREATE INDEX tasks_due ON tasks (due, seq) WHERE state IN ('pending', 'running');
CREATE INDEX tasks_of_definition ON tasks (tenant, definition);

-- The updates name the states they start from; this holds whoever writes.
CREATE FUNCTION tasks_check_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state NOT IN ('pending', 'running') THEN
        RAISE EXCEPTION 'an end state never changes';
    END IF;
    IF NEW.epoch < OLD.epoch THEN
        RAISE EXCEPTION 'an epoch only grows';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER tasks_check_update BEFORE UPDATE ON tasks
    FOR EACH ROW EXECUTE FUNCTION tasks_check_update();

CREATE TABLE snapshots (
    -- Order of publication.
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant   text COLLATE "C" NOT NULL,
    id       text COLLATE "C" NOT NULL,
    created  bigint NOT NULL,
    -- SnapshotManifest.
    manifest text   NOT NULL,
    UNIQUE (tenant, id)
);

CREATE INDEX snapshots_newest ON snapshots (tenant, seq);

CREATE TABLE credentials (
    client      text COLLATE "C" PRIMARY KEY,
    tenant      text COLLATE "C" NOT NULL,
    -- Caller.
    caller      text    NOT NULL,
    secret_hmac bytea   NOT NULL CHECK (length(secret_hmac) = 32),
    enabled     boolean NOT NULL,
    created     bigint  NOT NULL,
    description text    NOT NULL
);

CREATE TABLE sources (
    tenant     text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    definition text NOT NULL,
    base_dir   text NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, name)
);

CREATE TABLE links (
    tenant          text COLLATE "C" NOT NULL,
    source          text COLLATE "C" NOT NULL,
    native_identity text COLLATE "C" NOT NULL,
    identity_name   text NOT NULL,
    PRIMARY KEY (tenant, source, native_identity)
);

CREATE TABLE audit_events (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        text COLLATE "C" NOT NULL UNIQUE,
    at        bigint NOT NULL,
    operation text   NOT NULL,
    tenant    text COLLATE "C" NOT NULL,
    -- Caller.
    caller    text   NOT NULL,
    task      text   NOT NULL,
    report    text   NOT NULL,
    details   text   NOT NULL
);

CREATE FUNCTION audit_events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an audit event never changes and is never deleted';
END
$$;

CREATE TRIGGER audit_events_never_change BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_refuse();

-- What the service made once for itself: its signing and HMAC keys.
CREATE TABLE secrets (
    name  text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);
