CREATE TABLE sod_policies (
    tenant     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    -- SodPolicyContent.
    content    TEXT    NOT NULL,
    -- A list of PolicyException.
    exceptions TEXT    NOT NULL,
    -- The identities that made it, and that changed it last.
    creator    TEXT    NOT NULL,
    modifier   TEXT,
    created    INTEGER NOT NULL,
    modified   INTEGER NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, name)
) STRICT;

-- The last report of a policy; that of several policies has no policy, which is an empty text.
CREATE TABLE sod_reports (
    tenant TEXT NOT NULL,
    policy TEXT NOT NULL,
    task   TEXT NOT NULL,
    PRIMARY KEY (tenant, policy)
) STRICT, WITHOUT ROWID;
