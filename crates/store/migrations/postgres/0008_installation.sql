-- Which installation this is: the folder beside it says the same. One row.

CREATE TABLE installation (
    one                bigint  NOT NULL PRIMARY KEY CHECK (one = 1),
    -- Nothing until a folder has been found.
    id                 text,
    -- What was there before every beginning was recorded: tasks and snapshots by their numbers, credentials by their time.
    tasks_before       bigint  NOT NULL,
    snapshots_before   bigint  NOT NULL,
    credentials_before bigint  NOT NULL
);

INSERT INTO installation
SELECT 1, NULL, coalesce((SELECT max(seq) FROM tasks), 0), coalesce((SELECT max(seq) FROM snapshots), 0),
    coalesce((SELECT max(created) FROM credentials), -1);
