-- The life of a result's files. There is a row once they were held or have expired. The task itself does not change
-- after its end.
CREATE TABLE result_lives (
    tenant  text COLLATE "C" NOT NULL,
    task    text COLLATE "C" NOT NULL,
    -- Pin, for files that are kept whatever the policy says.
    hold    text,
    -- When they expired: they are gone or going.
    expired bigint,
    -- When they were gone.
    removed bigint,
    PRIMARY KEY (tenant, task),
    CHECK (hold IS NULL OR expired IS NULL),
    CHECK (removed IS NULL OR expired IS NOT NULL)
);

CREATE INDEX result_lives_to_remove ON result_lives (expired) WHERE expired IS NOT NULL AND removed IS NULL;
CREATE INDEX tasks_with_result ON tasks (tenant, completed, seq) WHERE result_rows IS NOT NULL;
CREATE INDEX tasks_results_of_definition ON tasks (tenant, definition, seq) WHERE result_rows IS NOT NULL;
