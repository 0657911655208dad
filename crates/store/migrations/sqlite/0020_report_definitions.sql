-- Definitions of custom reports. A row is one version of one report and never changes, except for `removed`.
CREATE TABLE report_definitions (
    tenant     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    -- The definition file.
    definition TEXT    NOT NULL,
    added      INTEGER NOT NULL,
    added_by   TEXT    NOT NULL,
    -- When the report was removed; the same in all versions.
    removed    INTEGER,
    PRIMARY KEY (tenant, id, version)
) STRICT, WITHOUT ROWID;
