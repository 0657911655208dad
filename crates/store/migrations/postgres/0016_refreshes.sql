-- Refreshes, as the list of tasks shows them.
CREATE TABLE refreshes (
    tenant    text COLLATE "C" NOT NULL,
    id        text COLLATE "C" NOT NULL,
    -- Caller.
    requester text COLLATE "C" NOT NULL,
    snapshot  text COLLATE "C" NOT NULL,
    created   bigint NOT NULL,
    state     text COLLATE "C" NOT NULL CHECK (state IN ('running', 'succeeded', 'warned', 'failed')),
    -- Parts done, and expected.
    done      bigint NOT NULL,
    expected  bigint,
    -- List of Message.
    messages  text COLLATE "C" NOT NULL,
    ended     bigint,
    -- When it counts as interrupted unless its process is heard of.
    lease     bigint NOT NULL,
    PRIMARY KEY (tenant, id),
    CHECK ((ended IS NULL) = (state = 'running'))
);

CREATE INDEX refreshes_created ON refreshes (tenant, created);
