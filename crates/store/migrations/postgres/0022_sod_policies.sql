CREATE TABLE sod_policies (
    tenant     text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    -- SodPolicyContent.
    content    text COLLATE "C" NOT NULL,
    -- A list of PolicyException.
    exceptions text COLLATE "C" NOT NULL,
    -- The identities that made it, and that changed it last.
    creator    text COLLATE "C" NOT NULL,
    modifier   text COLLATE "C",
    created    bigint NOT NULL,
    modified   bigint NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, name)
);

-- The last report of a policy; that of several policies has no policy, which is an empty text.
CREATE TABLE sod_reports (
    tenant text COLLATE "C" NOT NULL,
    policy text COLLATE "C" NOT NULL,
    task   text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, policy)
);
