CREATE TABLE schedules (
    tenant  TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    -- Caller.
    owner   TEXT    NOT NULL,
    -- ScheduledWork.
    work    TEXT    NOT NULL,
    -- ScheduleForm.
    form    TEXT    NOT NULL,
    paused  INTEGER NOT NULL CHECK (paused IN (0, 1)),
    created INTEGER NOT NULL,
    -- When it is due next.
    due     INTEGER,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, name)
) STRICT;

CREATE INDEX schedules_due ON schedules (due) WHERE due IS NOT NULL AND paused = 0;

-- One run of a schedule and a due time, however many nodes there are.
CREATE TABLE schedule_runs (
    tenant       TEXT    NOT NULL,
    schedule     TEXT    NOT NULL,
    due          INTEGER NOT NULL,
    -- The first of the earlier times that were missed.
    missed_since INTEGER,
    state        TEXT    NOT NULL
        CHECK (state IN ('waiting', 'started', 'succeeded', 'warned', 'failed', 'skipped', 'cancelled')),
    -- Attempts that have begun, and those that have failed.
    attempts     INTEGER NOT NULL CHECK (attempts >= 0),
    failures     INTEGER NOT NULL CHECK (failures >= 0),
    task         TEXT,
    message      TEXT,
    ended        INTEGER,
    -- When a node may look at it; later than now while a node has it.
    wake         INTEGER NOT NULL,
    epoch        INTEGER NOT NULL CHECK (epoch >= 0),
    PRIMARY KEY (tenant, schedule, due),
    CHECK ((ended IS NULL) = (state IN ('waiting', 'started')))
) STRICT, WITHOUT ROWID;

CREATE INDEX schedule_runs_wake ON schedule_runs (wake) WHERE state IN ('waiting', 'started');
