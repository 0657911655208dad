-- What happened to one task, for its evidence package.

CREATE INDEX audit_events_of_task ON audit_events (tenant, task, sequence);
