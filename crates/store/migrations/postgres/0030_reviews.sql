-- Access reviews. A review and its items never change, except for `closing`.
CREATE TABLE reviews (
    tenant    text COLLATE "C"    NOT NULL,
    id        text COLLATE "C"    NOT NULL,
    -- The snapshot whose access is reviewed. It does not expire while the review is open.
    snapshot  text COLLATE "C"    NOT NULL,
    -- ReviewPlan.
    plan      text COLLATE "C"    NOT NULL,
    frozen_at bigint NOT NULL,
    -- DataScope.
    scope     text COLLATE "C"    NOT NULL,
    created   bigint NOT NULL,
    created_by text COLLATE "C"   NOT NULL,
    items     bigint NOT NULL,
    unassigned bigint NOT NULL,
    digest    text COLLATE "C"    NOT NULL,
    -- Closing; null while the review is open.
    closing   text COLLATE "C",
    PRIMARY KEY (tenant, id)
);

CREATE INDEX reviews_by_time ON reviews (tenant, created, id);

CREATE TABLE review_items (
    tenant text COLLATE "C"    NOT NULL,
    review text COLLATE "C"    NOT NULL,
    number bigint NOT NULL,
    -- What is frozen, the reviewer, and why.
    content text COLLATE "C"   NOT NULL,
    digest text COLLATE "C"    NOT NULL,
    PRIMARY KEY (tenant, review, number)
);

-- The newest decision of an item counts; earlier ones stay.
CREATE TABLE review_decisions (
    tenant   text COLLATE "C"    NOT NULL,
    review   text COLLATE "C"    NOT NULL,
    sequence bigint NOT NULL,
    item     bigint NOT NULL,
    -- Decision.
    decision text COLLATE "C"    NOT NULL,
    PRIMARY KEY (tenant, review, sequence)
);
