-- A tenant's tasks by the time of acceptance, for lists.
CREATE INDEX tasks_of_tenant ON tasks (tenant, created, seq);
