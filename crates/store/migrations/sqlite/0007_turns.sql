-- Whose task it is, and its place among those that wait: the earliest is claimed first (see `place_in_line`). A process of
-- the version before leaves both out; its tasks go first, as those that were there before this file do among themselves.
ALTER TABLE tasks ADD COLUMN client TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
UPDATE tasks SET client = json_extract(requester, '$.client'), place = due WHERE state IN ('pending', 'running');

CREATE INDEX tasks_in_line ON tasks (place, seq, due) WHERE state IN ('pending', 'running');
CREATE INDEX tasks_of_client ON tasks (tenant, client) WHERE state IN ('pending', 'running');
-- How long a report took the last time.
CREATE INDEX tasks_run_before ON tasks (tenant, definition, seq) WHERE state IN ('succeeded', 'warned');
