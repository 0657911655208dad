CREATE TABLE saved_searches (
    tenant   TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    -- The identity that made it.
    owner    TEXT    NOT NULL,
    -- SavedSearchContent.
    content  TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;

CREATE INDEX saved_searches_by_time ON saved_searches (tenant, created, id);
