-- Access reviews. A review and its items never change, except for `closing`.
CREATE TABLE reviews (
    tenant    TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    -- The snapshot whose access is reviewed. It does not expire while the review is open.
    snapshot  TEXT    NOT NULL,
    -- ReviewPlan.
    plan      TEXT    NOT NULL,
    frozen_at INTEGER NOT NULL,
    -- DataScope.
    scope     TEXT    NOT NULL,
    created   INTEGER NOT NULL,
    created_by TEXT   NOT NULL,
    items     INTEGER NOT NULL,
    unassigned INTEGER NOT NULL,
    digest    TEXT    NOT NULL,
    -- Closing; null while the review is open.
    closing   TEXT,
    PRIMARY KEY (tenant, id)
) STRICT;

CREATE INDEX reviews_by_time ON reviews (tenant, created, id);

CREATE TABLE review_items (
    tenant TEXT    NOT NULL,
    review TEXT    NOT NULL,
    number INTEGER NOT NULL,
    -- What is frozen, the reviewer, and why.
    content TEXT   NOT NULL,
    digest TEXT    NOT NULL,
    PRIMARY KEY (tenant, review, number)
) STRICT, WITHOUT ROWID;

-- The newest decision of an item counts; earlier ones stay.
CREATE TABLE review_decisions (
    tenant   TEXT    NOT NULL,
    review   TEXT    NOT NULL,
    sequence INTEGER NOT NULL,
    item     INTEGER NOT NULL,
    -- Decision.
    decision TEXT    NOT NULL,
    PRIMARY KEY (tenant, review, sequence)
) STRICT, WITHOUT ROWID;
