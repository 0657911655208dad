CREATE TABLE saved_searches (
    tenant   text COLLATE "C" NOT NULL,
    id       text COLLATE "C" NOT NULL,
    -- The identity that made it.
    owner    text COLLATE "C" NOT NULL,
    -- SavedSearchContent.
    content  text COLLATE "C" NOT NULL,
    created  bigint NOT NULL,
    modified bigint NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX saved_searches_by_time ON saved_searches (tenant, created, id);
