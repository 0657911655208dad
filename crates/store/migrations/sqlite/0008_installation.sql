-- Which installation this is: the folder beside it says the same. One row.

CREATE TABLE installation (
    one                INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    -- Nothing until a folder has been found.
    id                 TEXT,
    -- What was there before every beginning was recorded: tasks and snapshots by their numbers, credentials by their time.
    tasks_before       INTEGER NOT NULL,
    snapshots_before   INTEGER NOT NULL,
    credentials_before INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO installation
SELECT 1, NULL, coalesce((SELECT max(seq) FROM tasks), 0), coalesce((SELECT max(seq) FROM snapshots), 0),
    coalesce((SELECT max(created) FROM credentials), -1);
