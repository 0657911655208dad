-- Pin, for a snapshot that is kept whatever the policy says.
ALTER TABLE snapshots ADD COLUMN pin text;
-- When it expired: its data is gone or going.
ALTER TABLE snapshots ADD COLUMN expired bigint;

-- Whether a snapshot is being read is asked of live tasks only.
CREATE INDEX tasks_of_snapshot ON tasks (tenant, snapshot) WHERE state IN ('pending', 'running');
