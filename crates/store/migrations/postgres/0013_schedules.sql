CREATE TABLE schedules (
    tenant  text COLLATE "C" NOT NULL,
    id      text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL,
    -- Caller.
    owner   text COLLATE "C" NOT NULL,
    -- ScheduledWork.
    work    text COLLATE "C" NOT NULL,
    -- ScheduleForm.
    form    text COLLATE "C" NOT NULL,
    paused  boolean NOT NULL,
    created bigint NOT NULL,
    -- When it is due next.
    due     bigint,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, name)
);

CREATE INDEX schedules_due ON schedules (due) WHERE due IS NOT NULL AND NOT paused;

-- One run of a schedule and a due time, however many nodes there are.
CREATE TABLE schedule_runs (
    tenant       text COLLATE "C" NOT NULL,
    schedule     text COLLATE "C" NOT NULL,
    due          bigint NOT NULL,
    -- The first of the earlier times that were missed.
    missed_since bigint,
    state        text COLLATE "C" NOT NULL
        CHECK (state IN ('waiting', 'started', 'succeeded', 'warned', 'failed', 'skipped', 'cancelled')),
    -- Attempts that have begun, and those that have failed.
    attempts     bigint NOT NULL CHECK (attempts >= 0),
    failures     bigint NOT NULL CHECK (failures >= 0),
    task         text,
    message      text,
    ended        bigint,
    -- When a node may look at it; later than now while a node has it.
    wake         bigint NOT NULL,
    epoch        bigint NOT NULL CHECK (epoch >= 0),
    PRIMARY KEY (tenant, schedule, due),
    CHECK ((ended IS NULL) = (state IN ('waiting', 'started')))
);

CREATE INDEX schedule_runs_wake ON schedule_runs (wake) WHERE state IN ('waiting', 'started');
