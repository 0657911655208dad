-- Definitions of custom reports. A row is one version of one report and never changes, except for `removed`.
CREATE TABLE report_definitions (
    tenant     text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    -- The definition file.
    definition text COLLATE "C" NOT NULL,
    added      bigint NOT NULL,
    added_by   text COLLATE "C" NOT NULL,
    -- When the report was removed; the same in all versions.
    removed    bigint,
    PRIMARY KEY (tenant, id, version)
);
