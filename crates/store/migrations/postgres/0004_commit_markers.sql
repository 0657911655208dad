-- One row for each transaction of the last hour: whether it was committed is read off its marker, because a number that
-- was given out just before a crash is given out again after it.

CREATE TABLE commit_markers (
    token text   PRIMARY KEY,
    -- Microseconds since 1970.
    at    bigint NOT NULL
);
